import { PlatformError } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import type { StoredRecord } from '../record.js';
import { toHeaderTexts } from '../record-headers.js';
import { readPastFailures, toFailedRecord, toReplay } from './failed-record.js';

const record: StoredRecord = {
  topic: 'game.account',
  partition: 3,
  offset: 41n,
  key: Buffer.from('k'),
  value: Buffer.from('{"id":"1"}'),
  headers: { ce_id: '1', traceparent: '00-ab' },
  timestampMs: 1_767_323_045_000,
};
const failure = { groupId: 'mail', error: new Error('no mail today'), attempts: 5 };

describe('toFailedRecord', () => {
  it('keeps key, bytes and headers, and adds origin and reason', () => {
    const failed = toFailedRecord(record, { ...failure, subscription: 'login' });
    expect(failed.key).toBe(record.key);
    expect(failed.value).toBe(record.value);
    expect(failed.headers).toEqual({
      ce_id: '1',
      traceparent: '00-ab',
      'x-original-topic': 'game.account',
      'x-original-partition': '3',
      'x-original-offset': '41',
      'x-original-timestamp': '1767323045000',
      'x-consumer-group': 'mail',
      'x-error': 'no mail today',
      'x-attempts': '5',
      'x-subscription': 'login',
    });
  });

  it('keeps the origin of a record that moves on from a retry topic', () => {
    const first = toFailedRecord(record, { ...failure, subscription: '', dueAtMs: 99 });
    expect(first.headers).toMatchObject({ 'x-retry-due-at': '99' });
    const stored = {
      ...record,
      ...first,
      topic: 'game.account.mail.retry.1',
      partition: 0,
      offset: 7n,
    };
    const second = toFailedRecord(stored, { ...failure, attempts: 6, subscription: '' });
    expect(second.headers).toMatchObject({
      'x-original-topic': 'game.account',
      'x-original-partition': '3',
      'x-original-offset': '41',
      'x-attempts': '6',
    });
    expect(second.headers).not.toHaveProperty('x-retry-due-at');
  });

  it('keeps headers that come twice, are null or are no text, also through a retry topic', () => {
    const raw = [
      { name: 'twice', value: Buffer.from('1') },
      { name: 'twice', value: Buffer.from('2') },
      { name: 'bytes', value: Buffer.of(0xff, 0) },
      { name: 'none', value: null },
    ];
    const before: StoredRecord = { ...record, headers: { twice: '2' }, rawHeaders: raw };
    const first = toFailedRecord(before, { ...failure, subscription: '', dueAtMs: 99 });
    const second = toFailedRecord({ ...record, ...first }, { ...failure, subscription: 'login' });
    expect(second.rawHeaders?.slice(0, raw.length)).toEqual(raw);
    const added = toHeaderTexts(second.rawHeaders?.slice(raw.length) ?? []);
    expect({ twice: '2', ...added }).toEqual(second.headers);
    expect(second.rawHeaders?.filter(({ name }) => name === 'x-attempts')).toHaveLength(1);
    expect(toReplay(second)?.record).toEqual({
      key: record.key,
      value: record.value,
      headers: { twice: '2' },
      rawHeaders: raw,
    });
  });

  it('includes the code of a platform error and shortens long texts', () => {
    const coded = new PlatformError('ENVELOPE_INVALID', 'name is not a string');
    const of = (error: unknown): string | undefined =>
      toFailedRecord(record, { ...failure, error, subscription: undefined }).headers['x-error'];
    expect(of(coded)).toBe('ENVELOPE_INVALID: name is not a string');
    expect(of('text')).toBe('text');
    expect(of(new Error('x'.repeat(5_000)))).toHaveLength(1_024);
  });
});

describe('readPastFailures', () => {
  it('reads back the written headers', () => {
    const written = toFailedRecord(record, { ...failure, subscription: 'login', dueAtMs: 1_234 });
    expect(readPastFailures({ ...record, ...written })).toEqual({
      attempts: 5,
      subscription: 'login',
      dueAtMs: 1_234,
    });
  });

  it('reads a text that is not a number as 0', () => {
    const headers = { 'x-attempts': 'many', 'x-retry-due-at': '-1' };
    expect(readPastFailures({ ...record, headers })).toEqual({
      attempts: 0,
      subscription: undefined,
      dueAtMs: 0,
    });
  });
});

describe('toReplay', () => {
  it('restores the record as it was before it failed', () => {
    const { key, value, headers } = record;
    const dead = toFailedRecord(record, { ...failure, subscription: '', dueAtMs: 1 });
    expect(toReplay(dead)).toEqual({ topic: 'game.account', record: { key, value, headers } });
  });

  it('returns nothing for other records', () => {
    expect(toReplay(record)).toBeUndefined();
  });
});
