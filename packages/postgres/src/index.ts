export {
  type AmbientDatabase,
  afterCommit,
  ambientDatabase,
} from './ambient-database.js';
export type {
  Database,
  DatabaseLogger,
  Listener,
  PoolStats,
  Queryable,
  QueryResult,
  Statement,
  Transaction,
  TransactionOptions,
} from './database.js';
export { type EmbeddedOptions, openEmbedded } from './embedded/open-embedded.js';
export { makePrivateFolder } from './embedded/private-folder.js';
export { sqlState } from './errors.js';
export {
  type Migration,
  type MigrationSet,
  type MigrationStep,
  migrate,
  pendingMigrations,
  requireMigrations,
} from './migrate.js';
export { type DatabaseOptions, openDatabase } from './open-database.js';
export { refuseUnsuitable, requireWritable } from './requirements.js';
export {
  openPostgres,
  type PostgresOptions,
  type SynchronousCommit,
} from './server/open-postgres.js';
export { toByteaArray } from './values/encode-values.js';
