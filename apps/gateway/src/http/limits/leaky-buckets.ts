/** Most names that are counted at a time. The first to come is forgotten for a new one. */
const maxNames = 50_000;

/** Rate of a set of buckets. */
export interface LeakRate {
  /** Amount per second that leaks out of a bucket. */
  readonly perSecond: number;
  /** Amount that a bucket takes before anything has to wait. */
  readonly burst: number;
}

/**
 * A leaky bucket for each name. What comes faster than it leaks waits, instead of being refused, and
 * then passes at an even pace.
 */
export class LeakyBuckets {
  readonly #msEach: number;
  readonly #burstMs: number;
  /** Time at which each bucket will be empty, in ms. */
  readonly #emptyAt = new Map<string, number>();

  constructor({ perSecond, burst }: LeakRate) {
    this.#msEach = 1_000 / perSecond;
    this.#burstMs = burst * this.#msEach;
  }

  /**
   * Pours an amount into the bucket of a name. Returns the time that it has to wait, in ms: 0 for
   * nearly all. Nothing is poured, and undefined returned, if that is longer than `maxWaitMs`.
   *
   * @param now in ms, on a clock that only goes forward
   */
  pour(
    name: string,
    amount: number,
    { now, maxWaitMs }: { readonly now: number; readonly maxWaitMs: number },
  ): number | undefined {
    const emptyAt = Math.max(this.#emptyAt.get(name) ?? now, now) + amount * this.#msEach;
    const waitMs = Math.max(0, emptyAt - this.#burstMs - now);
    if (waitMs > maxWaitMs) return undefined;
    if (this.#emptyAt.size >= maxNames && !this.#emptyAt.has(name)) this.#forgetFirst();
    this.#emptyAt.set(name, emptyAt);
    return waitMs;
  }

  #forgetFirst(): void {
    const [first = ''] = this.#emptyAt.keys();
    this.#emptyAt.delete(first);
  }
}
