import { ExpiringCache } from '@posthaste/contracts';

export interface LoadingCacheOptions<Value> {
  /** A value older than this, in ms, is loaded again. */
  readonly ttlMs: number;
  /** Values kept at most; beyond it those loaded longest ago are forgotten. */
  readonly maxEntries: number;
  /** Loads what these keys stand for. A key without a value is left out of the answer. */
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;
  /** Milliseconds of a steady clock. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

/**
 * Values of a slower store, kept for a short time. Callers that ask for the same key at once share
 * one load. That there is no value is not remembered: what is created a moment later is found.
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

  /** The value if it is here and fresh. */
  peek(key: string): Value | undefined {
    return this.#entries.get(key, this.#now());
  }

  async find(key: string): Promise<Value | undefined> {
    return this.peek(key) ?? (await this.findAll([key])).get(key);
  }

  /** The values there are. Rejects with what `load` rejects with, and remembers nothing of it. */
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

  /** Makes the next caller load it again: it was changed here. */
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
      // What was forgotten meanwhile may have been read before it changed.
      for (const [key, value] of loaded) {
        if (this.#loading.get(key) === load) this.#entries.set(key, value, untilMs);
      }
      return loaded;
    } finally {
      for (const key of keys) if (this.#loading.get(key) === load) this.#loading.delete(key);
    }
  }
}
