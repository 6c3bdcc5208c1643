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
export { type EmbeddedOptions, openEmbedded } from './embedded.js';
export { sqlState } from './errors.js';
export {
  type Migration,
  type MigrationSet,
  type MigrationStep,
  migrate,
  pendingMigrations,
} from './migrate.js';
export { type DatabaseOptions, openDatabase } from './open-database.js';
export type { Orm } from './orm.js';
export { openPostgres, type PostgresOptions } from './postgres.js';
