import { backoffMs } from '@posthaste/contracts';
import type { HostSignal } from '../delivery/outcome.js';

/** Limits of one origin. */
export interface OriginLimits {
  /** Attempts in flight at most. */
  readonly max: number;
  /**
   * Attempts in flight at first for each of its fairness keys (sender-limiter.ts); 1 or more, at
   * most `max`.
   */
  readonly initial: number;
  /** Connection failures in a row that open the circuit breaker. */
  readonly breakAfter: number;
  /** Ceiling of the time that the breaker stays open the first time, in ms. */
  readonly minOpenMs: number;
  /** Ceiling of that time after any number of failed probes, in ms. */
  readonly maxOpenMs: number;
}

/**
 * Concurrency limit and circuit breaker of one origin, over all applications. Only connection
 * failures count here, because they are about the host. What a receiver answers, or that it does
 * not answer in time, is about that receiver: sender-limiter.ts and receiver-pauses.ts.
 *
 * - `breakAfter` connection failures in a row open the breaker: the origin is suspended for a
 *   while, which doubles each time. Then one probe goes out; its success closes the breaker.
 * - The limit is `max`. After an outage it begins at 1 and grows by one with every answer, so that
 *   a host that comes back is not overrun.
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
    this.#limit = limits.max;
  }

  /** Returns the number of attempts that may start now; 0 or less: none. */
  capacity(nowMs: number): number {
    return nowMs < this.#suspendedUntilMs ? 0 : this.#limit - this.#inFlight;
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
    if (signal.kind === 'answered') {
      this.#limit = Math.min(this.#limits.max, this.#limit + 1);
    } else if (!isReachable) {
      this.#failedAtMs = nowMs;
      if (this.#failuresInRow >= this.#limits.breakAfter) this.#openBreaker(nowMs, random);
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
