import { accessMigrations } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import type { MigrationSet } from '@posthaste/postgres';

/** Tables that a worker needs. */
export const workerMigrations: readonly MigrationSet[] = [
  accessMigrations,
  callbacksMigrations,
  eventstreamMigrations,
  eventLogMigrations,
  realtimeMigrations,
];
