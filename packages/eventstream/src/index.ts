export {
  type AuditActorType,
  type AuditDiff,
  type AuditErrorCallback,
  /** @public */ AuditLogBuilder,
  type AuditLogRequest,
  /** @public */ newAuditLog,
} from './audit/audit-log.js';
export {
  newPublish,
  /** @public */ PublishBuilder,
  type PublishErrorCallback,
  type PublishRequest,
} from './builders/publish.js';
export { /** @public */ republish } from './builders/republish.js';
export {
  /** @public */ newSubscribe,
  /** @public */ SubscribeBuilder,
  type SubscribeRequest,
} from './builders/subscribe.js';
export type { Client, CloseOptions } from './client/client.js';
export type { ClientConfig, ClientOptions, StreamName } from './client/client-config.js';
export { createClient, createClientOn } from './client/create-client.js';
export type { ReceivedEvent } from './client/event-iterator.js';
export type {
  ConsumerHealth,
  Fault,
  PartitionBlock,
  RecordLoss,
  StreamHealth,
} from './client/health.js';
export type { StreamLogger, StreamLogMode } from './client/stream-log.js';
export type {
  AnyTopics,
  EventNameOf,
  PayloadOf,
  SchemasOf,
  TopicOf,
  TypedCallback,
  TypedConsumeRequest,
  TypedPublishRequest,
  TypedSubscribeRequest,
} from './client/topic-types.js';
export type { RegisteredCallback } from './consume/consumers.js';
export { failedRecordHeaders, /** @public */ toReplay } from './consume/failed-record.js';
export type { EventCallback, HandlerContext, RawCallback } from './consume/registration.js';
export type { RetryOptions } from './consume/retry-policy.js';
export {
  type AppendRequest,
  type Driver,
  type DriverSubscription,
  type GroupLag,
  type LostRange,
  offsetBeginning,
  /** @public */ offsetEnd,
  type PartitionLag,
  type SubscriptionHandler,
  type SubscriptionRequest,
} from './driver.js';
export type {
  KafkaDriverOptions,
  KafkaLogger,
  KafkaSasl,
} from './drivers/kafka/connection/kafka-options.js';
export {
  /** @public */ getTlsCertFromFile,
  type TlsCertificate,
} from './drivers/kafka/connection/tls-certificate.js';
export type { InjectedFault } from './drivers/memory/faults.js';
export { createMemoryDriver } from './drivers/memory/memory-driver.js';
export { MemoryStream, type MemoryStreamOptions } from './drivers/memory/memory-stream.js';
export type { AppendedRecord, AppendOptions, LogRecord } from './drivers/postgres/append/append.js';
export type { LogEvent } from './drivers/postgres/append/append-events.js';
export type {
  GroupBatch,
  GroupBatchRequest,
  RecordChoice,
} from './drivers/postgres/group/group-batch.js';
export type { GroupPage, GroupQuery } from './drivers/postgres/group/group-pages.js';
export type { SkippedRange } from './drivers/postgres/group/shard-reader.js';
export {
  createPostgresDriver,
  type PostgresDriverOptions,
} from './drivers/postgres/postgres-driver.js';
export {
  type GroupRequest,
  PostgresLog,
  type PostgresLogOptions,
  type StatementAppend,
} from './drivers/postgres/postgres-log.js';
export type { EventPage, EventQuery } from './drivers/postgres/read/event-pages.js';
export type { FollowedLog, FollowOptions } from './drivers/postgres/read/follow-events.js';
export type { LiveReader, RecordTraits } from './drivers/postgres/read/live-reader.js';
export type {
  PartitionPage,
  PartitionQuery,
} from './drivers/postgres/read/partition-pages.js';
export type { MaintenanceOptions, MaintenanceOutcome } from './drivers/postgres/segments.js';
export { eventstreamMigrations } from './drivers/postgres/storage/migrations.js';
export { /** @public */ removeTopicApplications } from './drivers/postgres/storage/topic-access.js';
export { decodeEnvelope, /** @public */ decodeEnvelopeWithDigits } from './envelope/decode.js';
export { /** @public */ decodeRecord, decodeRecordWithDigits } from './envelope/decode-record.js';
export { type EnvelopeProfile, encodeEnvelope } from './envelope/encode.js';
export { toHeaders } from './envelope/headers.js';
export {
  /** @public */ claimEvent,
  /** @public */ forgetHandled,
  handleOnce,
  type InboxEntry,
  type InboxRetention,
} from './inbox/inbox.js';
export { /** @public */ inboxMigrations } from './inbox/migrations.js';
export {
  type MetricFamily,
  type MetricSample,
  /** @public */ toPrometheusText,
} from './metrics/metric-family.js';
export type { MetricNames } from './metrics/stream-metrics.js';
export {
  createPartitioner,
  type Partitioner,
  type PartitionerName,
} from './publish/partitioner.js';
export type { OutgoingRecord, RecordHeader, StoredRecord } from './record.js';
export { applicationOf } from './record-application.js';
export { /** @public */ toHeaderList } from './record-headers.js';
export type { InvalidEventDetails } from './rules/invalid-event.js';
export {
  isDeadLetterTopic,
  isRetryTopic,
  isTopicOrDerived,
  parseTopicRules,
  toWireTopic,
} from './rules/topic-name.js';
