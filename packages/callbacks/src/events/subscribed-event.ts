import { type EventEnvelope, envelopeKeys, stringifyExactJson } from '@posthaste/contracts';
import type { TraceHeaders } from '../request/trace-headers.js';

/** Event as subscriptions get it from the stream. */
export interface SubscribedEvent {
  readonly topic: string;
  /** Application that it belongs to: only its endpoints get the event. */
  readonly application: string;
  readonly envelope: EventEnvelope;
  /** Key that it was published with, if any. */
  readonly key: string | undefined;
  /** Trace of the event, which the callbacks made for it continue. */
  readonly trace?: TraceHeaders | undefined;
  /** Number of deliveries that led to it: see loop-guard.ts. Default 0. */
  readonly hops?: number | undefined;
}

/**
 * Writes the body of the callbacks made for an event, for endpoints that ask for envelopes: the envelope as one JSON object in UTF-8,
 * without spaces. Its keys are in the order of the wire; a key without a value is left out, keys
 * that the envelope does not define follow at the end. Integers are exact, also beyond 2^53.
 *
 * `{"id":"…","name":"order.created","namespace":"shop","timestamp":"2026-01-02T03:04:05Z",
 * "timestampUnixNano":1767323045000000000,"version":1,"payload":{"order":7}}` (one line)
 */
export function toEventBody(envelope: EventEnvelope): Buffer {
  const known = Object.fromEntries(envelopeKeys.map((key) => [key, envelope[key]]));
  // The first spread gives the keys their order, the last one their values.
  return Buffer.from(stringifyExactJson({ ...known, ...envelope.unknownKeys, ...known }));
}
