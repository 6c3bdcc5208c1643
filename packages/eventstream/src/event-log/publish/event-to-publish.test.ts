import { createEnvelope, type EventEnvelope } from '@posthaste/contracts';
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
  return toEventToPublish(envelopeOf(changes), { topic, ...options });
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
