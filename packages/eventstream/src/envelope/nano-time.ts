import type { EventEnvelope } from '@posthaste/contracts';

const wholeSecond = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * Returns the time of the event with nine digits of a second, from `timestampUnixNano`. Undefined: the
 * timestamp is not a whole second in UTC, or the two are not the same second, because a foreign service
 * set only one of them correctly.
 */
export function toNanoTime({
  timestamp,
  timestampUnixNano,
}: EventEnvelope<object>): string | undefined {
  const second = readSecond(timestamp);
  const nano = timestampUnixNano?.toString() ?? '';
  const isSame = nano.length > 9 && Number(nano.slice(0, -9)) === second.unixSeconds;
  return isSame ? `${second.withoutZone}.${nano.slice(-9)}Z` : undefined;
}

/** A timestamp with its parts. */
interface WholeSecond {
  readonly timestamp: string;
  /** NaN when the timestamp is not a whole second in UTC. */
  readonly unixSeconds: number;
  readonly withoutZone: string;
}

/** Cache of the last second: thousands of events of a busy service share it. */
let lastSecond: WholeSecond = { timestamp: '', unixSeconds: Number.NaN, withoutZone: '' };

function readSecond(timestamp: string): WholeSecond {
  if (timestamp !== lastSecond.timestamp) {
    const isWhole = wholeSecond.test(timestamp);
    const unixSeconds = isWhole ? Date.parse(timestamp) / 1_000 : Number.NaN;
    lastSecond = { timestamp, unixSeconds, withoutZone: timestamp.slice(0, -1) };
  }
  return lastSecond;
}
