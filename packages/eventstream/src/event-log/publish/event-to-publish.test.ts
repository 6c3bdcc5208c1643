import {
  createEnvelope,
  type EventEnvelope,
  fromCloudEvent,
  toCloudEvent,
} from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../envelope/decode.js';
import { type EventToPublishOptions, toEventToPublish } from './event-to-publish.js';

const topic = 'orders';
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function envelopeOf(changes: Partial<EventEnvelope> = {}): EventEnvelope {
  const created = createEnvelope({ name: 'placed', namespace: 'shop', payload: { a: 1 } });
  return { ...created, id: 'e1', ...changes };
}

function prepare(changes?: Partial<EventEnvelope>, options?: Partial<EventToPublishOptions>) {
  return toEventToPublish(envelopeOf(changes), { topic, application: '', ...options });
}

describe('an event to publish', () => {
  it('is encoded with its headers, its source, and its id as the key', () => {
    const event = prepare();
    expect(event).toMatchObject({ topic, id: 'e1', source: '/namespaces/shop' });
    expect(event.key.toString()).toBe('e1');
    expect(event.headers).toMatchObject({ ce_id: 'e1', ce_type: 'placed' });
    expect(decodeEnvelope(event.value)).toMatchObject({ id: 'e1', payload: { a: 1 } });
  });

  it('gets an id if it has none, and then has no content hash', () => {
    const event = prepare({ id: '' });
    expect(event.id).toMatch(/^[0-9a-f]{32}$/);
    expect(event.contentHash).toBeUndefined();
  });

  it('has the same content hash whatever its time and trace', () => {
    const hash = prepare().contentHash;
    const later = { timestamp: '2030-01-01T00:00:00Z', timestampUnixNano: 1n, traceId: 't' };
    expect(prepare(later, { traceparent }).contentHash).toEqual(hash);
    expect(prepare({ payload: { a: 2 } }).contentHash).not.toEqual(hash);
    expect(prepare({}, { key: 'other' }).contentHash).not.toEqual(hash);
  });

  it('has the same content hash whatever the text of its time as a CloudEvent', () => {
    const event = { specversion: '1.0', id: 'e1', source: '/x', data: [1] };
    const hashOf = (type: string, time: string): Buffer | undefined =>
      toEventToPublish(fromCloudEvent({ ...event, type, time }), { topic, application: '' })
        .contentHash;
    const hash = hashOf('a b', '2026-01-02T03:04:05Z');
    expect(hashOf('a b', '2026-01-02T04:04:05.000+01:00')).toEqual(hash);
    expect(hashOf('a b', '2027-01-02T03:04:05.000000000Z')).toEqual(hash);
    expect(hashOf('a/b', '2026-01-02T03:04:05Z')).not.toEqual(hash);
  });

  it('has the same content hash as a CloudEvent and as an envelope', () => {
    const given = { specversion: '1.0', id: 'e1', source: '/namespaces/shop', type: 'placed' };
    const hashOf = (event: object): Buffer | undefined =>
      toEventToPublish(fromCloudEvent(event), { topic, application: '' }).contentHash;
    const hash = prepare().contentHash;
    expect(hashOf({ ...given, data: { a: 1 } })).toEqual(hash);
    expect(hashOf({ ...given, data: { a: 1 }, datacontenttype: 'application/json' })).toEqual(hash);
    expect(hashOf({ ...given, data: { a: 1 }, version: 'v1' })).not.toEqual(hash);
  });

  it('is what its CloudEvent was if it is to be as given', () => {
    const event = { specversion: '1.0', id: 'e1', source: '/x', type: 'a b', topic: 'other' };
    const given = { ...event, time: '2026-01-02T03:04:05.5+01:00', data: 'x' };
    const options = { topic, application: '', traceparent, asGiven: true };
    const { value, headers } = toEventToPublish(fromCloudEvent(given), options);
    expect(toCloudEvent(decodeEnvelope(value))).toEqual(given);
    expect(headers).toMatchObject({ traceparent });
  });

  it('has the trace of the caller only without one of its own', () => {
    expect(prepare({}, { traceparent }).headers).toMatchObject({ traceparent });
    const own = prepare({ spanContext: 'abc:def:0:1' }, { traceparent });
    expect(own.headers.traceparent).not.toBe(traceparent);
  });

  it.each<[string, Partial<EventEnvelope>, Partial<EventToPublishOptions>]>([
    ['key', {}, { key: 'x'.repeat(4_097) }],
    ['key', {}, { key: '\ud83d' }],
    ['id', { id: 'a\0b' }, {}],
    ['id', { id: '\ud83d' }, {}],
    ['id', { id: 'x'.repeat(257) }, {}],
    ['timestamp', { timestamp: 'now', timestampUnixNano: undefined as never }, {}],
    ['eventName', { name: 'a b' }, {}],
    ['topic', {}, { topic: 'orders.dlq' }],
  ])('is refused for its %s: %j %j', (field, changes, options) => {
    const refused = expect.objectContaining({
      code: 'EVENT_INVALID',
      details: { field, reason: expect.any(String) },
    });
    expect(() => prepare(changes, options)).toThrow(refused);
  });

  it('is refused when it exceeds maxBytes', () => {
    const refused = expect.objectContaining({ code: 'EVENT_TOO_LARGE' });
    expect(() => prepare({}, { maxBytes: 10 })).toThrow(refused);
    expect(() => prepare({ payload: { text: 'x'.repeat(1_048_576) } })).toThrow(refused);
  });
});
