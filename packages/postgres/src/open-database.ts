import type { Database } from './database.js';
import { type EmbeddedOptions, openEmbedded } from './embedded/open-embedded.js';
import { openPostgres, type PostgresOptions } from './server/open-postgres.js';

/** Options of both engines. Those of the engine that is not opened are ignored. */
export interface DatabaseOptions extends Omit<PostgresOptions, 'url'>, EmbeddedOptions {
  /** URL of a Postgres server. Default: none, the embedded engine is opened. */
  readonly url?: string | undefined;
}

/** Opens Postgres if there is a URL, else the embedded engine. */
export function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url } = options;
  return url === undefined ? openEmbedded(options) : openPostgres({ ...options, url });
}
