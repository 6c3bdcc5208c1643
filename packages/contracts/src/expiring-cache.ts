/** Cache whose values expire. Its size is limited: the oldest value is dropped for a new one. */
export class ExpiringCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>();
  readonly #capacity: number;

  /** @param capacity most values that are kept */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Returns the value, or undefined if it has expired at `now`. */
  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  /** Keeps a value until a moment, on the clock that `now` of `get` uses. */
  set(key: string, value: Value, until: number): void {
    // Deleted first, so that the map stays ordered by the time of `set`.
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
