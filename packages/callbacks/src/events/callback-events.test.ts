import { newId } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import { attemptWith, delivered, failed, retryLater } from '../../test/live-callbacks.js';
import type { Delivery } from '../delivery/delivery.js';
import { toAcceptedEvents } from '../intake/accepted-events.js';
import { toCallbackRequest } from '../request/request.js';
import { type RecordedResult, toResultEvents } from '../results/result-events.js';
import { type CallbackEvent, callbackEventTopic, toDisabledEvent } from './callback-events.js';

const rules = { defaultTimeoutMs: 15_000, maxTimeoutMs: 28_000, urlFault: () => undefined };
const all = (): boolean => true;
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const secrets = {
  url: 'https://user:pass@example.com/token-1?key=token-2',
  headers: { authorization: 'token-3' },
  trace: { traceparent },
  body: Buffer.from('token-4'),
  secret: 'token-5',
};

const shapes = (events: readonly CallbackEvent[]): [string, unknown][] =>
  events.map(({ envelope }) => [envelope.name, envelope.payload]);

function told(
  delivery: Delivery,
  more: Partial<RecordedResult> = {},
  statusCode = 200,
): RecordedResult {
  const attempt = { ...attemptWith(statusCode), startedAtMs: 5_000, durationNs: 1_500_000n };
  const result = { delivery, attempt, verdict: delivered, chain: false };
  return { result, ending: 'delivered', parked: false, ...more };
}

describe('what is told of a callback', () => {
  it('is that it was accepted', () => {
    const request = toCallbackRequest({ ...secrets, application: 'shop', queue: 'q' }, rules);
    const id = newId();
    const [event] = toAcceptedEvents([{ id, request, idempotency: undefined }], { wants: all });
    expect(event).toMatchObject({
      topic: callbackEventTopic,
      key: 'shop/q',
      traceparent,
      envelope: {
        name: 'callback.accepted',
        namespace: 'shop',
        payload: { callbackId: id, queue: 'q', origin: 'https://example.com', method: 'POST' },
      },
    });
    expect(JSON.stringify(event?.envelope, (_, v) => (typeof v === 'bigint' ? `${v}` : v))) //
      .not.toMatch(/token-|pass/);
  });

  it('is its attempt, and how it ended, in this order', () => {
    const delivery = deliveryOf({ failures: 2, unknowns: 1, createdAtMs: 4_000 });
    const common = { callbackId: delivery.callbackId };
    const events = toResultEvents(told(delivery), all);
    expect(events.map(({ key }) => key)).toEqual([delivery.callbackId, delivery.callbackId]);
    expect(shapes(events)).toEqual([
      [
        'callback.attempted',
        { ...common, attempt: 4, statusCode: 200, durationNs: 1_500_000n, ending: 'delivered' },
      ],
      ['callback.delivered', { ...common, attempts: 4, statusCode: 200, latencyMs: 1_002 }],
    ]);
  });

  it('is its attempt alone when it is tried again', () => {
    const delivery = deliveryOf();
    const result = { delivery, attempt: attemptWith(500), verdict: retryLater, chain: false };
    expect(shapes(toResultEvents(told(delivery, { result, ending: undefined }), all))).toEqual([
      [
        'callback.attempted',
        expect.objectContaining({ attempt: 1, statusCode: 500, reason: 'status' }),
      ],
    ]);
  });

  it('is its failure, also without an attempt', () => {
    const endpointId = newId();
    const delivery = deliveryOf({ queue: 'q', endpointId, failures: 3 });
    const result = { delivery, attempt: undefined, verdict: failed, chain: false };
    expect(
      shapes(toResultEvents(told(delivery, { result, ending: 'expired', parked: true }), all)),
    ).toEqual([
      [
        'callback.failed',
        {
          callbackId: delivery.callbackId,
          queue: 'q',
          endpointId,
          origin: 'http://example.com',
          ending: 'expired',
          attempts: 3,
          parked: true,
        },
      ],
    ]);
  });

  it('is nothing when it was cancelled, or nobody wants to know', () => {
    const delivery = deliveryOf();
    const result = { delivery, attempt: undefined, verdict: failed, chain: false };
    expect(toResultEvents(told(delivery, { result, ending: 'cancelled' }), all)).toEqual([]);
    expect(toResultEvents(told(delivery), () => false)).toEqual([]);
    const request = toCallbackRequest({ url: 'http://example.com/' }, rules);
    const item = { id: newId(), request, idempotency: undefined };
    expect(toAcceptedEvents([item], { wants: () => false })).toEqual([]);
  });

  it('is its failure only when it was made for an event about a callback', () => {
    const delivery = deliveryOf({ echo: 1 });
    expect(toResultEvents(told(delivery), all)).toEqual([]);
    const result = { delivery, attempt: attemptWith(500), verdict: failed, chain: false };
    expect(shapes(toResultEvents(told(delivery, { result, ending: 'failed' }), all))).toEqual([
      ['callback.failed', expect.objectContaining({ echo: 1, ending: 'failed' })],
    ]);
    const request = toCallbackRequest({ url: 'http://example.com/' }, rules);
    const item = { id: newId(), request: { ...request, echo: 1 }, idempotency: undefined };
    expect(toAcceptedEvents([item], { wants: all })).toEqual([]);
  });
});

it('tells of an endpoint that was disabled', () => {
  const id = newId();
  expect(toDisabledEvent({ id, application: 'shop', reason: 'gone' })).toMatchObject({
    topic: callbackEventTopic,
    key: id,
    envelope: {
      name: 'endpoint.disabled',
      namespace: 'shop',
      payload: { endpointId: id, reason: 'gone' },
    },
  });
});
