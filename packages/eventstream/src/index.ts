export type * from './driver.js';
export type { InjectedFault } from './drivers/memory/faults.js';
export { createMemoryDriver } from './drivers/memory/memory-driver.js';
export { MemoryStream, type MemoryStreamOptions } from './drivers/memory/memory-stream.js';
export type { EventPage, EventQuery } from './drivers/postgres/event-pages.js';
export type { FollowOptions } from './drivers/postgres/follow-events.js';
export type { GroupBatch, GroupBatchRequest } from './drivers/postgres/group-batch.js';
export type { SkippedRange } from './drivers/postgres/log-subscription.js';
export { eventstreamMigrations } from './drivers/postgres/migrations.js';
export {
  createPostgresDriver,
  type PostgresDriverOptions,
} from './drivers/postgres/postgres-driver.js';
export {
  type AppendedRecord,
  type AppendOptions,
  type GroupRequest,
  type LogRecord,
  PostgresLog,
  type PostgresLogOptions,
} from './drivers/postgres/postgres-log.js';
export type { MaintenanceOptions, MaintenanceOutcome } from './drivers/postgres/segments.js';
export type * from './record.js';
