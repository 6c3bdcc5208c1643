import { isInt64 } from '@posthaste/contracts';
import { invalidEvent } from '../rules/invalid-event.js';

const nsPerSecond = 1_000_000_000n;
const nsPerMs = 1_000_000n;

/** One moment in the two forms of the envelope. */
export interface EventTime {
  /** RFC 3339, UTC, whole seconds. */
  readonly timestamp: string;
  /** Nanoseconds since 1970. */
  readonly timestampUnixNano: bigint;
}

export function toEventTime(unixMs: number): EventTime {
  const ms = Math.floor(unixMs);
  return {
    timestamp: timestampOf(Math.floor(ms / 1_000)),
    timestampUnixNano: BigInt(ms) * nsPerMs,
  };
}

/** @throws PlatformError `EVENT_INVALID` beyond 64 bits (years 1677 to 2262) */
export function fromUnixNano(timestampUnixNano: bigint): EventTime {
  if (typeof timestampUnixNano !== 'bigint' || !isInt64(timestampUnixNano)) {
    const reason = 'must be a bigint of 64 bits';
    throw invalidEvent("publish struct isn't valid", 'timestampUnixNano', reason);
  }
  const rest = timestampUnixNano % nsPerSecond;
  const whole = timestampUnixNano - (rest < 0n ? rest + nsPerSecond : rest);
  return { timestamp: timestampOf(Number(whole / nsPerSecond)), timestampUnixNano };
}

/** The text of the second asked for last: events of a busy service share it by the thousand. */
const lastSecond = { unixSeconds: Number.NaN, text: '' };

function timestampOf(unixSeconds: number): string {
  if (unixSeconds !== lastSecond.unixSeconds) {
    lastSecond.text = `${new Date(unixSeconds * 1_000).toISOString().slice(0, -'.000Z'.length)}Z`;
    lastSecond.unixSeconds = unixSeconds;
  }
  return lastSecond.text;
}
