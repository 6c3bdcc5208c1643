export {
  type AuditActorType,
  type AuditDiff,
  type AuditErrorCallback,
  AuditLogBuilder,
  type AuditLogRequest,
  newAuditLog,
} from './audit/audit-log.js';
export {
  newPublish,
  PublishBuilder,
  type PublishErrorCallback,
  type PublishRequest,
} from './builders/publish.js';
export { republish } from './builders/republish.js';
export { newSubscribe, SubscribeBuilder, type SubscribeRequest } from './builders/subscribe.js';
export type { RegisteredCallback } from './consume/consumers.js';
export { failedRecordHeaders, toReplay } from './consume/failed-record.js';
export type { ConsumerStatus } from './consume/group-consumer.js';
export type { ConsumeObserver, ConsumerName, RecordOutcome } from './consume/observer.js';
export type {
  ConsumerSettings,
  DeliveryContext,
  EventCallback,
  RawCallback,
} from './consume/registration.js';
export type { RetryOptions } from './consume/retry-policy.js';
export type { PartitionStatus } from './consume/topic-reader.js';
export type * from './driver.js';
export { createKafkaDriver } from './drivers/kafka/kafka-driver.js';
export type {
  KafkaAcks,
  KafkaCompression,
  KafkaDriverOptions,
  KafkaLogger,
  KafkaLogMode,
  KafkaSasl,
} from './drivers/kafka/kafka-options.js';
export { getTlsCertFromFile, type TlsCertificate } from './drivers/kafka/tls-certificate.js';
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
export { decodeEnvelope } from './envelope/decode.js';
export { type EnvelopeProfile, encodeEnvelope } from './envelope/encode.js';
export { toHeaders } from './envelope/headers.js';
export {
  claimEvent,
  forgetHandled,
  handleOnce,
  type InboxEntry,
  type InboxRetention,
} from './inbox/inbox.js';
export { inboxMigrations } from './inbox/migrations.js';
export type * from './record.js';
export type { InvalidEventDetails } from './rules/invalid-event.js';
export { deadLetterTopic, retryTopic } from './rules/topic-name.js';
