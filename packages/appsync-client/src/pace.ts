import type { Clock } from './clock.js';

/** Lets at most so many begin in a second, in the order of their calls. */
export class Pace {
  readonly #clock: Clock;
  readonly #perSecond: number;
  /** Starts of the last second. */
  #starts: number[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Resolves when the next may begin. One that is aborted before does not count. */
  wait(signal?: AbortSignal): Promise<void> {
    this.#last = this.#last.then(() => this.#waitForTurn(signal));
    return this.#last;
  }

  async #waitForTurn(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    const now = this.#clock.now();
    this.#starts = this.#starts.filter((at) => at > now - 1_000);
    const [first] = this.#starts;
    if (first !== undefined && this.#starts.length >= this.#perSecond) {
      const waitMs = first + 1_000 - now;
      await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, waitMs));
    }
    if (!signal?.aborted) this.#starts.push(this.#clock.now());
  }
}
