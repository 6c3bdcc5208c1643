/** Remembers what was read for a limited time, in limited number; the oldest make room. */
export class ExpiringCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>();
  readonly #capacity: number;

  /** @param capacity values kept at most */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The value, unless its time is over at `now`. */
  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  /** Keeps a value until a moment, on the same clock as `now` of `get`. */
  set(key: string, value: Value, until: number): void {
    // Deleted first, so that the order of the map stays that of time.
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { value, until });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
