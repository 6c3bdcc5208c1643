import { isInt64 } from '@posthaste/contracts';
import { invalidEvent } from '../rules/invalid-event.js';

const nsPerSecond = 1_000_000_000n;
const nsPerMs = 1_000_000n;

/** A moment in the envelope's two forms. */
export interface EventTime {
  /** RFC 3339, UTC, whole seconds. */
  readonly timestamp: string;
  /** Nanoseconds since 1970. */
  readonly timestampUnixNano: bigint;
}

/** Converts a moment in ms since 1970. */
export function toEventTime(unixMs: number): EventTime {
  const ms = Math.floor(unixMs);
  return {
    timestamp: timestampOf(Math.floor(ms / 1_000)),
    timestampUnixNano: BigInt(ms) * nsPerMs,
  };
}

/**
 * Converts a moment in nanoseconds since 1970.
 * @throws PlatformError `EVENT_INVALID` when it does not fit 64 bits (the years 1677 to 2262)
 */
export function fromUnixNano(timestampUnixNano: bigint): EventTime {
  if (typeof timestampUnixNano !== 'bigint' || !isInt64(timestampUnixNano)) {
    const reason = 'must be a bigint of 64 bits';
    throw invalidEvent("publish struct isn't valid", 'timestampUnixNano', reason);
  }
  const rest = timestampUnixNano % nsPerSecond;
  const whole = timestampUnixNano - (rest < 0n ? rest + nsPerSecond : rest);
  return { timestamp: timestampOf(Number(whole / nsPerSecond)), timestampUnixNano };
}

/** Cache of the last second's text: thousands of events of a busy service share it. */
const lastSecond = { unixSeconds: Number.NaN, text: '' };

function timestampOf(unixSeconds: number): string {
  if (unixSeconds !== lastSecond.unixSeconds) {
    lastSecond.text = `${new Date(unixSeconds * 1_000).toISOString().slice(0, -'.000Z'.length)}Z`;
    lastSecond.unixSeconds = unixSeconds;
  }
  return lastSecond.text;
}
