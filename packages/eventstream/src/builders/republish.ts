import type { EventEnvelope } from '@posthaste/contracts';
import { type PublishRequest, requestFieldOf } from './publish.js';

const nsPerMs = 1_000_000n;

/**
 * Returns a request that publishes a received event again: with the same id and time, and with the
 * keys that this release does not know. Spread it to change something.
 */
export function republish(
  event: EventEnvelope<object>,
  topic: string | readonly string[],
): PublishRequest {
  const carried = Object.entries(event).flatMap(([key, value]) => {
    const field = requestFieldOf.get(key);
    return field === undefined ? [] : [[field, value] as const];
  });
  return {
    ...Object.fromEntries(carried),
    topic,
    eventName: event.name,
    namespace: event.namespace,
    id: event.id,
    version: event.version,
    spanContext: event.spanContext,
    timestampUnixNano: event.timestampUnixNano ?? parseTimestamp(event.timestamp),
  };
}

/** Digits of a second in a timestamp of RFC 3339. */
const fraction = /\.(\d+)(?=Z|[+-]\d\d:\d\d$)/i;

/** Parses the time of events of other services, which have it as text only, to the nanosecond. */
function parseTimestamp(timestamp: string): bigint | undefined {
  const digits = fraction.exec(timestamp)?.[1] ?? '';
  const ms = Date.parse(timestamp.replace(fraction, ''));
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * nsPerMs + BigInt(digits.slice(0, 9).padEnd(9, '0'));
}
