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

  /** True if nothing of it is in use. */
  isIdle(now: number): boolean {
    this.#refill(now);
    return this.#left >= this.perSecond;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#left = Math.min(this.perSecond, this.#left + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
  }
}

/** Tenants whose rates are kept, before those that have all of theirs left are forgotten. */
const maxIdleTenants = 1_000;

/** Rate of each tenant: what one uses is not missing for another. */
export class TenantRates {
  readonly #perSecond: number;
  readonly #rates = new Map<string, RateLimit>();

  /** @param perSecond as of a `RateLimit` */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Returns the rate of a tenant, to be used at once. */
  of(tenant: string, now: number): RateLimit {
    const known = this.#rates.get(tenant);
    if (known !== undefined) return known;
    if (this.#rates.size >= maxIdleTenants) this.#forgetIdle(now);
    const rate = new RateLimit(this.#perSecond, now);
    this.#rates.set(tenant, rate);
    return rate;
  }

  #forgetIdle(now: number): void {
    for (const [tenant, rate] of this.#rates) {
      if (rate.isIdle(now)) this.#rates.delete(tenant);
    }
  }
}
