import type { HostSignal } from '../delivery/outcome.js';
import type { OriginLimits } from './origin-limiter.js';

/** Limit below which no answer brings a sender: its other receivers must not wait for a probe. */
const lowestLimit = 4;

/**
 * Concurrency limit of one fairness key: of what one application sends to one origin, or to one
 * endpoint.
 *
 * - The limit starts at `initial` and grows by one with every answer, up to `max`: a receiver that
 *   never answers cannot take many slots, and takes none from other applications.
 * - A time-out, a 429 or a 503 halves it, unless a pause of the receiver takes care of that
 *   (receiver-pauses.ts).
 */
export class SenderLimiter {
  readonly #limits: OriginLimits;
  #limit: number;
  #inFlight = 0;

  constructor(limits: OriginLimits) {
    this.#limits = limits;
    this.#limit = limits.initial;
  }

  /** Attempts that may start now; 0 or less: none. */
  get capacity(): number {
    return Math.floor(this.#limit) - this.#inFlight;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  /** Counts an attempt that starts. */
  started(): void {
    this.#inFlight += 1;
  }

  /** Counts an attempt that has ended. */
  ended(): void {
    this.#inFlight -= 1;
  }

  /** Adapts the limit to an attempt's signal. */
  report({ kind }: HostSignal): void {
    const { max, initial } = this.#limits;
    if (kind === 'answered') this.#limit = Math.min(max, this.#limit + 1);
    else if (kind !== 'unreachable') {
      this.#limit = Math.max(Math.min(lowestLimit, initial), this.#limit / 2);
    }
  }
}
