/** Clocks drift: a difference of up to this many ms is ignored. */
const toleranceMs = 50;

/**
 * The database's time, carried on by this machine's monotonic clock between two readings. Due
 * times, leases and attempt times agree between workers, whatever their own clocks show.
 */
export class DatabaseClock {
  readonly #monotonic: () => number;
  #offsetMs: number | undefined;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /**
   * Takes a reading: the database's time was `databaseMs` between `askedAtMs` (monotonic) and now.
   */
  set(databaseMs: number, askedAtMs: number): void {
    const answeredAtMs = this.#monotonic();
    const offset = databaseMs - (askedAtMs + answeredAtMs) / 2;
    // A difference that the round trip explains is ignored: following it, the clock would be wrong
    // after a slow answer, and step back after the next.
    const uncertainMs = toleranceMs + (answeredAtMs - askedAtMs) / 2;
    if (this.#offsetMs === undefined || Math.abs(offset - this.#offsetMs) > uncertainMs)
      this.#offsetMs = offset;
  }

  /** Returns milliseconds since 1970; before the first reading, by this machine's own clock. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : this.#monotonic() + this.#offsetMs;
  }
}
