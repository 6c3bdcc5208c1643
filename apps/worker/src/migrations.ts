import { callbacksMigrations } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import type { MigrationSet } from '@posthaste/postgres';

/** The tables that a worker needs. */
export const workerMigrations: readonly MigrationSet[] = [
  callbacksMigrations,
  eventstreamMigrations,
];
