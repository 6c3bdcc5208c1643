/** Rate of something, with bursts of one second. */
export class RateLimit {
  #left: number;
  #at: number;

  /** @param perSecond also the largest burst; `Infinity` is no limit */
  constructor(
    private readonly perSecond: number,
    now: number,
  ) {
    this.#left = perSecond;
    this.#at = now;
  }

  /** Uses `count` of the rate. Returns false, and uses nothing, if there is not as much left. */
  use(count: number, now: number): boolean {
    this.#refill(now);
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  /** Uses `count` even if there is not as much left. */
  charge(count: number, now: number): void {
    this.#refill(now);
    this.#left -= count;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#left = Math.min(this.perSecond, this.#left + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
  }
}
