import { newId } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { deliveryOf } from '../../test/deliveries.js';
import { attemptWith, delivered, failed, retryLater } from '../../test/live-callbacks.js';
import type { Delivery } from '../delivery/delivery.js';
import type { CallbackEvent } from '../events/callback-events.js';
import { toResultEvents } from './result-events.js';
import type { RecordedResult } from './result-store.js';

const all = (): boolean => true;

const shapes = (events: readonly CallbackEvent[]): [string, unknown][] =>
  events.map(({ envelope }) => [envelope.name, envelope.payload]);

function recordedOf(delivery: Delivery, more: Partial<RecordedResult> = {}): RecordedResult {
  const attempt = { ...attemptWith(200), startedAtMs: 5_000, durationNs: 1_500_000n };
  const result = { delivery, attempt, verdict: delivered, keepLease: false };
  return { result, ending: 'delivered', parked: false, ...more };
}

describe('the events about a result', () => {
  it('are its attempt, and its ending, in this order', () => {
    const delivery = deliveryOf({ failures: 2, unknowns: 1, createdAtMs: 4_000 });
    const common = { callbackId: delivery.callbackId };
    const events = toResultEvents(recordedOf(delivery), all);
    expect(events.map(({ key }) => key)).toEqual([delivery.callbackId, delivery.callbackId]);
    expect(shapes(events)).toEqual([
      [
        'callback.attempted',
        { ...common, attempt: 4, statusCode: 200, durationNs: 1_500_000n, ending: 'delivered' },
      ],
      ['callback.delivered', { ...common, attempts: 4, statusCode: 200, latencyMs: 1_002 }],
    ]);
  });

  it('are its attempt alone when it is retried', () => {
    const delivery = deliveryOf();
    const attempt = attemptWith(500);
    const result = { delivery, attempt, verdict: retryLater, keepLease: false };
    const events = toResultEvents(recordedOf(delivery, { result, ending: undefined }), all);
    expect(shapes(events)).toEqual([
      [
        'callback.attempted',
        expect.objectContaining({ attempt: 1, statusCode: 500, reason: 'status' }),
      ],
    ]);
  });

  it('are its failure, also without an attempt', () => {
    const endpointId = newId();
    const delivery = deliveryOf({ queue: 'q', endpointId, failures: 3 });
    const result = { delivery, attempt: undefined, verdict: failed, keepLease: false };
    const recorded = recordedOf(delivery, { result, ending: 'expired', parked: true });
    expect(shapes(toResultEvents(recorded, all))).toEqual([
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

  it('are none when it was cancelled, or when no events are wanted', () => {
    const delivery = deliveryOf();
    const result = { delivery, attempt: undefined, verdict: failed, keepLease: false };
    expect(toResultEvents(recordedOf(delivery, { result, ending: 'cancelled' }), all)).toEqual([]);
    expect(toResultEvents(recordedOf(delivery), () => false)).toEqual([]);
  });

  it('are its failure only when it was made for an event about a callback', () => {
    const delivery = deliveryOf({ echo: 1 });
    expect(toResultEvents(recordedOf(delivery), all)).toEqual([]);
    const result = { delivery, attempt: attemptWith(500), verdict: failed, keepLease: false };
    const events = toResultEvents(recordedOf(delivery, { result, ending: 'failed' }), all);
    expect(shapes(events)).toEqual([
      ['callback.failed', expect.objectContaining({ echo: 1, ending: 'failed' })],
    ]);
  });
});
