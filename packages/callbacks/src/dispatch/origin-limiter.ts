import { backoffMs } from '@posthaste/contracts';
import type { HostSignal } from '../delivery/outcome.js';

/**
 * How much one origin may be asked at once, and whether it may be asked at all.
 *
 * - It starts with a few in flight and earns one more with every answer, up to its limit: a host
 *   that never answers cannot take many slots, and one that comes back is not overrun.
 * - A time-out, a 429 or a 503 halves what it may have. A Retry-After closes it for that time.
 * - `breakAfter` connection failures in a row open it: nothing is sent for a while, twice as long
 *   each time. Then one probe goes out; its success starts the climb again.
 *
 * Pure: time (ms, any steady clock) and randomness are handed in.
 */
export interface OriginLimits {
  /** In flight at most. */
  readonly max: number;
  /** In flight at first, and after an outage one. */
  readonly initial: number;
  /** Connection failures in a row that open it. */
  readonly breakAfter: number;
  readonly minOpenMs: number;
  readonly maxOpenMs: number;
}

/** A host may not close itself for longer than this. */
const maxPauseMs = 60_000;

export class OriginLimiter {
  readonly #limits: OriginLimits;
  #limit: number;
  #inFlight = 0;
  #failuresInRow = 0;
  #openings = 0;
  #closedUntilMs = 0;
  #failedAtMs = 0;

  constructor(limits: OriginLimits) {
    this.#limits = limits;
    this.#limit = limits.initial;
  }

  /** How many more may start now; 0 or less: none. */
  capacity(nowMs: number): number {
    return nowMs < this.#closedUntilMs ? 0 : Math.floor(this.#limit) - this.#inFlight;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** When it opens again, if it is closed. */
  closedUntil(nowMs: number): number | undefined {
    return nowMs < this.#closedUntilMs ? this.#closedUntilMs : undefined;
  }

  /** Whether it may be forgotten: idle, open, and what failed failed long ago. */
  isStale(nowMs: number): boolean {
    const mattersUntilMs =
      this.#failuresInRow === 0 ? 0 : this.#failedAtMs + this.#limits.maxOpenMs;
    return this.#inFlight === 0 && nowMs >= Math.max(this.#closedUntilMs, mattersUntilMs);
  }

  started(): void {
    this.#inFlight += 1;
  }

  left(): void {
    this.#inFlight -= 1;
  }

  /** Takes in what an attempt told. */
  report(signal: HostSignal, nowMs: number, random: number): void {
    if (signal.kind === 'unreachable') {
      this.#failuresInRow += 1;
      this.#failedAtMs = nowMs;
      if (this.#failuresInRow >= this.#limits.breakAfter) this.#open(nowMs, random);
      return;
    }
    this.#failuresInRow = 0;
    this.#openings = 0;
    switch (signal.kind) {
      case 'answered':
        this.#limit = Math.min(this.#limits.max, this.#limit + 1);
        return;
      case 'slow':
        this.#limit = Math.max(1, this.#limit / 2);
        return;
      case 'overloaded': {
        this.#limit = Math.max(1, this.#limit / 2);
        const pauseMs = Math.min(maxPauseMs, signal.retryAfterMs ?? 0);
        this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + pauseMs);
      }
    }
  }

  #open(nowMs: number, random: number): void {
    // Those that were in flight when it opened fail after it: they are one outage, not many.
    if (nowMs < this.#closedUntilMs) return;
    const { minOpenMs: initialMs, maxOpenMs: maxMs } = this.#limits;
    this.#openings += 1;
    this.#closedUntilMs = nowMs + backoffMs(this.#openings, { initialMs, maxMs }, random);
    this.#limit = 1;
  }
}
