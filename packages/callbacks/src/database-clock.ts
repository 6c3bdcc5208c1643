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
    const offset = databaseMs - (askedAtMs + this.#steady()) / 2;
    // Small differences are the round trip's; following them would make the clock step back.
    if (this.#offsetMs === undefined || Math.abs(offset - this.#offsetMs) > 50)
      this.#offsetMs = offset;
  }

  /** Milliseconds since 1970. Before the first reading, this machine's own. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : this.#steady() + this.#offsetMs;
  }
}
