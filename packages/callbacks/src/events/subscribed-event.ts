import { type EventEnvelope, envelopeKeys, stringifyExactJson } from '@posthaste/contracts';
import type { TraceHeaders } from '../request/trace-headers.js';

/** An event as subscriptions get it from the stream. */
export interface SubscribedEvent {
  /** The topic it is in. */
  readonly topic: string;
  readonly envelope: EventEnvelope;
  /** The key it was published with, when it was with one. */
  readonly key: string | undefined;
  /** The trace it belongs to, which the callbacks made for it continue. */
  readonly trace?: TraceHeaders | undefined;
}

/** Content type of {@link toEventBody}. */
export const eventContentType = 'application/json';

/**
 * The body of the callbacks made for an event: the envelope as one JSON object in UTF-8, without
 * spaces. Its keys stand in the order of the wire; those that the event lacks are left out, those
 * that the envelope does not know follow at the end. Integers are exact, beyond 2^53 too.
 *
 * `{"id":"…","name":"order.created","namespace":"shop","timestamp":"2026-01-02T03:04:05Z",
 * "timestampUnixNano":1767323045000000000,"version":1,"payload":{"order":7}}` (one line)
 */
export function toEventBody(envelope: EventEnvelope): Buffer {
  const known = Object.fromEntries(envelopeKeys.map((key) => [key, envelope[key]]));
  // The first spread gives the keys their places, the last one their values.
  return Buffer.from(stringifyExactJson({ ...known, ...envelope.unknownKeys, ...known }));
}
