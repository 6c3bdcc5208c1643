/**
 * Publishing once, followers and dead letters of the log in Postgres. Entry point of its own, because
 * it needs tables of its own, `eventLogMigrations`, which other users of the log do without.
 */
export type {
  DeadLetterReplay,
  NewDeadLetterReplay,
  ReplayQuery,
} from './event-log/dead-letters/dead-letter-replay-store.js';
export {
  type DeadLetterReplayDeps,
  DeadLetterReplays,
} from './event-log/dead-letters/dead-letter-replays.js';
export {
  type DeadLetter,
  type DeadLetterFailure,
  type DeadLetterFilter,
  type DeadLetterPage,
  type DeadLetterQuery,
  type DeadLetterSource,
  listDeadLetters,
  listDeadLetterTopics,
} from './event-log/dead-letters/dead-letters.js';
export { eraseRecords, type RecordErasingOptions } from './event-log/erasing/erase-records.js';
export { removeClaims, removeReplays } from './event-log/erasing/remove-claims.js';
export { type EventFilter, parseEventFilter } from './event-log/event-filter.js';
export {
  EventMaintenance,
  type EventMaintenanceDeps,
  type EventMaintenanceOptions,
} from './event-log/event-maintenance.js';
export {
  EventFollowers,
  type FollowerConnection,
  type FollowerOptions,
  type FollowRequest,
} from './event-log/follow/event-followers.js';
export { type LogEvent, toLogEvent, type UnnamedRecordRules } from './event-log/log-event.js';
export { eventLogMigrations } from './event-log/migrations.js';
export {
  type EventToPublish,
  type EventToPublishOptions,
  toEventToPublish,
} from './event-log/publish/event-to-publish.js';
export { GroupCommit, type GroupCommitOptions } from './event-log/publish/group-commit.js';
export { PublishBatcher, type PublishBatcherOptions } from './event-log/publish/publish-batcher.js';
export {
  type PublishedEvent,
  type PublishOutcome,
  type PublishTarget,
  publishOnce,
  type SubmittedEvent,
} from './event-log/publish/publish-once.js';
export { findRefused, type TopicLookup } from './event-log/publish/refused-topics.js';
export { measureRecordBytes } from './event-log/record-bytes.js';
