import type { Database, Statement } from '@posthaste/postgres';
import type { EndpointState } from '../endpoints/endpoint-state.js';
import { LoadingCache } from '../loading-cache.js';
import type { EndpointDirectory, EndpointSettings } from './admission.js';

/** Options of a {@link CachedEndpointDirectory}. */
export interface EndpointDirectoryOptions {
  /** Time after which settings are read again, in ms. Default 2,000. */
  readonly cacheTtlMs?: number | undefined;
  /** Endpoints whose settings are kept. Default 10,000. */
  readonly maxCached?: number | undefined;
  /** Monotonic clock, in ms. Default: the process's. */
  readonly now?: (() => number) | undefined;
}

interface SettingsRow {
  readonly id: string;
  readonly state: EndpointState;
  readonly headers: Readonly<Record<string, string>>;
  readonly rate_limit_per_second: number | null;
  readonly max_concurrency: number | null;
}

const settingsStatement: Statement = {
  name: 'callbacks_endpoint_settings',
  text: `select id, state, headers, rate_limit_per_second, max_concurrency
    from callbacks.endpoint where id = any($1::uuid[])`,
};

/** Settings of endpoints, which workers need with every claim; from memory if read a moment ago. */
export class CachedEndpointDirectory implements EndpointDirectory {
  readonly #cache: LoadingCache<EndpointSettings>;

  constructor(db: Database, options: EndpointDirectoryOptions = {}) {
    this.#cache = new LoadingCache({
      ttlMs: options.cacheTtlMs ?? 2_000,
      maxEntries: options.maxCached ?? 10_000,
      now: options.now,
      load: async (ids) => {
        const { rows } = await db.query<SettingsRow>(settingsStatement, [ids]);
        return new Map(rows.map((row) => [row.id, toSettings(row)]));
      },
    });
  }

  /** Returns the settings of these endpoints. One that is missing was removed. */
  settings(ids: readonly string[]): Promise<ReadonlyMap<string, EndpointSettings>> {
    return this.#cache.findAll(ids);
  }

  /** Drops an endpoint's cached settings: this process knows that they have changed. */
  forget(id: string): void {
    this.#cache.forget(id);
  }
}

function toSettings(row: SettingsRow): EndpointSettings {
  return {
    active: row.state === 'active',
    headers: row.headers,
    ratePerSecond: row.rate_limit_per_second ?? undefined,
    maxConcurrency: row.max_concurrency ?? undefined,
  };
}
