import { ExpiringCache } from '@posthaste/contracts';

/** Options of a {@link LoadingCache}. */
export interface LoadingCacheOptions<Value> {
  /** Age at which a value is loaded again, in ms. */
  readonly ttlMs: number;
  /** Values that are kept; beyond that, those loaded longest ago are dropped. */
  readonly maxEntries: number;
  /** Loads the values of these keys. A key without a value is left out of the result. */
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;
  /** Monotonic clock, in ms. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

/**
 * Cache of values of a slower store, for a short time. Concurrent calls for the same key share one
 * load. A missing value is not cached: one that is created a moment later is found.
 */
export class LoadingCache<Value> {
  readonly #options: LoadingCacheOptions<Value>;
  readonly #now: () => number;
  readonly #entries: ExpiringCache<Value>;
  readonly #loading = new Map<string, Promise<ReadonlyMap<string, Value>>>();

  constructor(options: LoadingCacheOptions<Value>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#entries = new ExpiringCache(options.maxEntries);
  }

  /** Returns the cached value, unless it is too old. */
  peek(key: string): Value | undefined {
    return this.#entries.get(key, this.#now());
  }

  /** Returns the value of a key, loading it if needed. */
  async find(key: string): Promise<Value | undefined> {
    return this.peek(key) ?? (await this.findAll([key])).get(key);
  }

  /** Returns the values that exist. Rejects as `load` does; a failure is not cached. */
  async findAll(keys: readonly string[]): Promise<Map<string, Value>> {
    const found = new Map<string, Value>();
    const wanted = new Set(keys);
    const loads = new Set<Promise<ReadonlyMap<string, Value>>>();
    const missing: string[] = [];
    for (const key of wanted) {
      const value = this.peek(key);
      const loading = this.#loading.get(key);
      if (value !== undefined) found.set(key, value);
      else if (loading) loads.add(loading);
      else missing.push(key);
    }
    if (missing.length > 0) loads.add(this.#load(missing));
    for (const loaded of await Promise.all(loads)) {
      for (const [key, value] of loaded) if (wanted.has(key)) found.set(key, value);
    }
    return found;
  }

  /** Drops a value, because this process has changed it. */
  forget(key: string): void {
    this.#entries.delete(key);
    this.#loading.delete(key);
  }

  async #load(keys: readonly string[]): Promise<ReadonlyMap<string, Value>> {
    const untilMs = this.#now() + this.#options.ttlMs;
    const load = this.#options.load(keys);
    for (const key of keys) this.#loading.set(key, load);
    try {
      const loaded = await load;
      // A value that was dropped meanwhile may have been read before it changed.
      for (const [key, value] of loaded) {
        if (this.#loading.get(key) === load) this.#entries.set(key, value, untilMs);
      }
      return loaded;
    } finally {
      for (const key of keys) if (this.#loading.get(key) === load) this.#loading.delete(key);
    }
  }
}
