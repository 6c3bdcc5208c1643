import { describe, expect, it } from 'vitest';
import { isCompactUuid4, newEventId } from './event-id.js';
import {
  deadLetterTopic,
  isDeadLetterTopic,
  isRetryTopic,
  retryTopic,
  toWireGroup,
  toWireTopic,
} from './topic-name.js';

function invalid(field: string): unknown {
  return expect.objectContaining({
    code: 'EVENT_INVALID',
    message: "topic format isn't valid",
    details: expect.objectContaining({ field }),
  });
}

describe('toWireTopic', () => {
  it('puts the prefix before the topic, unless it is empty', () => {
    expect(toWireTopic('dev', 'player')).toBe('dev.player');
    expect(toWireTopic('', 'player')).toBe('player');
  });

  it('takes 249 characters with the prefix, and no more', () => {
    expect(toWireTopic('dev', 'x'.repeat(245))).toHaveLength(249);
    expect(() => toWireTopic('dev', 'x'.repeat(246))).toThrow(invalid('topic'));
  });

  it.each(['', '.', '..', "o'neill", 'a b', 'a/b', 'é'])('refuses the topic %j', (topic) => {
    expect(() => toWireTopic('', topic)).toThrow(invalid('topic'));
  });
});

describe('toWireGroup', () => {
  it('puts the prefix before the group, unless it is empty', () => {
    expect(toWireGroup('dev', 'billing')).toBe('dev.billing');
    expect(toWireGroup('', 'billing')).toBe('billing');
  });

  it('begins with a dot as groups of the Go SDK do, when told', () => {
    expect(toWireGroup('', 'billing', { leadingDot: true })).toBe('.billing');
    expect(toWireGroup('dev', 'billing', { leadingDot: true })).toBe('dev.billing');
  });

  it('makes a new group of an empty one, each time', () => {
    const groups = [toWireGroup('', ''), toWireGroup('', '')];
    expect(groups.every(isCompactUuid4)).toBe(true);
    expect(new Set(groups).size).toBe(2);
    expect(toWireGroup('dev', '')).toMatch(/^dev\.[0-9a-f]{32}$/);
  });
});

describe('topics of records that failed', () => {
  it('are named after the topic, and after the group for its retries', () => {
    expect(deadLetterTopic('dev.player')).toBe('dev.player.dlq');
    expect(retryTopic('dev.player', 'dev.billing', 2)).toBe('dev.player.dev.billing.retry.2');
  });

  it('are known by their names', () => {
    expect(['a.dlq', 'dlq', 'a.dlqs', 'a.dlq.b'].map(isDeadLetterTopic)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(['a.b.retry.1', 'a.retry.12', 'a.retry', 'a.retry.x'].map(isRetryTopic)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('are refused where Kafka would refuse them', () => {
    expect(() => deadLetterTopic('x'.repeat(246))).toThrow(invalid('topic'));
    expect(() => retryTopic('player', "o'neill", 1)).toThrow(invalid('groupId'));
    expect(() => retryTopic('player', 'x'.repeat(240), 1)).toThrow(invalid('groupId'));
  });
});

describe('newEventId', () => {
  it('is a UUID v4 without hyphens, in lower case', () => {
    const ids = Array.from({ length: 1_000 }, newEventId);
    expect(ids.every(isCompactUuid4)).toBe(true);
    expect(new Set(ids).size).toBe(1_000);
  });

  it.each([
    '',
    '3671efef-876b-4133-897d-79134e936cd9',
    '3671EFEF876B4133897D79134E936CD9',
    '3671efef876b7133897d79134e936cd9',
    '3671efef876b4133c97d79134e936cd9',
    '3671efef876b4133897d79134e936cd',
    7,
  ])('is not %j', (id) => {
    expect(isCompactUuid4(id)).toBe(false);
  });
});
