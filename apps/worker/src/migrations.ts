import { callbacksMigrations } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import type { MigrationSet } from '@posthaste/postgres';

/** Tables that a worker needs. */
export const workerMigrations: readonly MigrationSet[] = [
  callbacksMigrations,
  eventstreamMigrations,
];
