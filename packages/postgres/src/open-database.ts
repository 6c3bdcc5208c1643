import type { Database } from './database.js';
import { type EmbeddedOptions, openEmbedded } from './embedded/open-embedded.js';
import { openPostgres, type PostgresOptions } from './server/open-postgres.js';

/** Options of both engines: those of the one that is chosen count. */
export interface DatabaseOptions extends Omit<PostgresOptions, 'url'>, EmbeddedOptions {
  /** Real Postgres when given, the embedded engine when not. */
  readonly url?: string | undefined;
}

/** Opens the engine that the configuration names. */
export function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url } = options;
  return url === undefined ? openEmbedded(options) : openPostgres({ ...options, url });
}
