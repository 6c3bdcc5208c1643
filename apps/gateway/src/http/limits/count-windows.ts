/** Most names that are counted at a time. The first to come is forgotten for a new one. */
const maxNames = 50_000;

interface Count {
  startedAt: number;
  taken: number;
}

/** Counts by name, in windows of time. It allocates only for a name that is new. */
export class CountWindows {
  readonly #windowMs: number;
  readonly #counts = new Map<string, Count>();

  /** @param windowMs length of a window, in ms */
  constructor(windowMs = 1_000) {
    this.#windowMs = windowMs;
  }

  /**
   * Takes one of `max` that a name has in the window that `now` is in, in ms on a clock that only goes
   * forward. Returns false, and takes none, if there is none left.
   */
  take(name: string, max: number, now: number): boolean {
    const count = this.#counts.get(name) ?? this.#add(name, now);
    if (now - count.startedAt >= this.#windowMs) {
      count.startedAt = now;
      count.taken = 0;
    }
    if (count.taken >= max) return false;
    count.taken += 1;
    return true;
  }

  /** True if `take` would take one now. */
  hasLeft(name: string, max: number, now: number): boolean {
    const count = this.#counts.get(name);
    const isOver = count === undefined || now - count.startedAt >= this.#windowMs;
    return (isOver ? 0 : count.taken) < max;
  }

  #add(name: string, startedAt: number): Count {
    if (this.#counts.size >= maxNames) {
      const [first = ''] = this.#counts.keys();
      this.#counts.delete(first);
    }
    const count: Count = { startedAt, taken: 0 };
    this.#counts.set(name, count);
    return count;
  }
}
