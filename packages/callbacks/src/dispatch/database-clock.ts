/** Clocks drift apart by so much before it is taken note of. */
const slackMs = 50;

/**
 * The database's time, carried on by this machine's steady clock between the answers that tell it:
 * due times, leases and attempt times agree between workers whatever their own clocks say.
 */
export class DatabaseClock {
  readonly #steady: () => number;
  #offsetMs: number | undefined;

  constructor(steady: () => number = () => performance.now()) {
    this.#steady = steady;
  }

  /** Takes in a reading: `databaseMs` was true between `askedAtMs` (steady clock) and now. */
  set(databaseMs: number, askedAtMs: number): void {
    const answeredAtMs = this.#steady();
    const offset = databaseMs - (askedAtMs + answeredAtMs) / 2;
    // Differences that the round trip explains are none: following them, the clock would be wrong
    // after a slow answer, and step back after the next.
    const uncertainMs = slackMs + (answeredAtMs - askedAtMs) / 2;
    if (this.#offsetMs === undefined || Math.abs(offset - this.#offsetMs) > uncertainMs)
      this.#offsetMs = offset;
  }

  /** Milliseconds since 1970. Before the first reading, this machine's own. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : this.#steady() + this.#offsetMs;
  }
}
