import { backoffMs } from '@posthaste/contracts';
import type { HostSignal } from '../delivery/outcome.js';

/** Limits of one origin. */
export interface OriginLimits {
  /** Attempts in flight at most. */
  readonly max: number;
  /** Attempts in flight at first; 1 or more, at most `max`. After an outage it is 1. */
  readonly initial: number;
  /** Connection failures in a row that open the circuit breaker. */
  readonly breakAfter: number;
  /** Ceiling of the time that the breaker stays open the first time, in ms. */
  readonly minOpenMs: number;
  /** Ceiling of that time after any number of failed probes, in ms. */
  readonly maxOpenMs: number;
}

/** Longest time for which a host may suspend itself by Retry-After, in ms. */
const maxPauseMs = 60_000;

/**
 * Concurrency limit and circuit breaker of one origin.
 *
 * - The limit starts at `initial` and grows by one with every answer, up to `max`: a host that
 *   never answers cannot take many slots, and one that comes back is not overrun.
 * - A time-out, a 429 or a 503 halves the limit. A Retry-After suspends the origin for that time.
 * - `breakAfter` connection failures in a row open the breaker: the origin is suspended for a
 *   while, which doubles each time. Then one probe goes out; its success closes the breaker, and
 *   the limit grows again from 1.
 *
 * Pure: the time (ms, by any monotonic clock) and randomness are passed in.
 */
export class OriginLimiter {
  readonly #limits: OriginLimits;
  #limit: number;
  #inFlight = 0;
  #failuresInRow = 0;
  #openingsInRow = 0;
  #suspendedUntilMs = 0;
  #failedAtMs = 0;

  constructor(limits: OriginLimits) {
    this.#limits = limits;
    this.#limit = limits.initial;
  }

  /** Returns the number of attempts that may start now; 0 or less: none. */
  capacity(nowMs: number): number {
    return nowMs < this.#suspendedUntilMs ? 0 : Math.floor(this.#limit) - this.#inFlight;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Returns the end of the suspension, or `undefined` when the origin is not suspended. */
  suspendedUntil(nowMs: number): number | undefined {
    return nowMs < this.#suspendedUntilMs ? this.#suspendedUntilMs : undefined;
  }

  /** True if it may be forgotten: idle, not suspended, and its last failure is long ago. */
  isStale(nowMs: number): boolean {
    const mattersUntilMs =
      this.#failuresInRow === 0 ? 0 : this.#failedAtMs + this.#limits.maxOpenMs;
    return this.#inFlight === 0 && nowMs >= Math.max(this.#suspendedUntilMs, mattersUntilMs);
  }

  /** Counts an attempt that starts. */
  started(): void {
    this.#inFlight += 1;
  }

  /** Counts an attempt that has ended. */
  ended(): void {
    this.#inFlight -= 1;
  }

  /** Adapts the limit and the breaker to an attempt's signal. `random` is in [0, 1). */
  report(signal: HostSignal, nowMs: number, random: number): void {
    const isReachable = signal.kind !== 'unreachable';
    this.#failuresInRow = isReachable ? 0 : this.#failuresInRow + 1;
    if (isReachable) this.#openingsInRow = 0;
    switch (signal.kind) {
      case 'unreachable':
        this.#failedAtMs = nowMs;
        if (this.#failuresInRow >= this.#limits.breakAfter) this.#openBreaker(nowMs, random);
        return;
      case 'answered':
        this.#limit = Math.min(this.#limits.max, this.#limit + 1);
        return;
      case 'slow':
        this.#limit = Math.max(1, this.#limit / 2);
        return;
      case 'overloaded': {
        this.#limit = Math.max(1, this.#limit / 2);
        const pauseMs = Math.min(maxPauseMs, signal.retryAfterMs ?? 0);
        this.#suspendedUntilMs = Math.max(this.#suspendedUntilMs, nowMs + pauseMs);
      }
    }
  }

  #openBreaker(nowMs: number, random: number): void {
    // Attempts that were in flight when the breaker opened fail after it: the same outage.
    if (nowMs < this.#suspendedUntilMs) return;
    const { minOpenMs: initialMs, maxOpenMs: maxMs } = this.#limits;
    this.#openingsInRow += 1;
    this.#suspendedUntilMs = nowMs + backoffMs(this.#openingsInRow, { initialMs, maxMs }, random);
    this.#limit = 1;
  }
}
