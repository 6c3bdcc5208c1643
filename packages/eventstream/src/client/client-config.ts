import type { Database } from '@posthaste/postgres';
import type { AuditSettings } from '../audit/build-audit-log.js';
import type { RetryOptions } from '../consume/retry-policy.js';
import type { KafkaDriverOptions } from '../drivers/kafka/connection/kafka-options.js';
import type { MemoryStream } from '../drivers/memory/memory-stream.js';
import type { PostgresDriverOptions } from '../drivers/postgres/postgres-driver.js';
import type { EnvelopeProfile } from '../envelope/encode.js';
import type { MetricNames } from '../metrics/stream-metrics.js';
import type { PublisherOptions } from '../publish/publish-options.js';
import type { StreamLogger, StreamLogMode } from './stream-log.js';
import type { AnyTopics, SchemasOf } from './topic-types.js';

/** Kind of stream. `kafka` needs `brokers`, `postgres` needs `database`. */
export type StreamName = 'kafka' | 'postgres' | 'memory' | 'stdout' | 'none';

/** Options of a client on any stream. */
export interface ClientOptions<Topics = AnyTopics> extends PublisherOptions {
  /** Form of the envelopes that are published. Default `default`. */
  readonly profile?: EnvelopeProfile | undefined;
  /** True if user, client, session and trace ids must be UUIDs without hyphens. Default false. */
  readonly strictValidation?: boolean | undefined;
  /** True if groups begin with a dot when the prefix is empty, as in the Go SDK. Default false. */
  readonly leadingDotGroups?: boolean | undefined;
  /** JSON Schemas for payloads, checked at publish and at receive. Default: none. */
  readonly schemas?: SchemasOf<Topics> | undefined;
  /** Retries of subscriptions without retry options of their own. */
  readonly retry?: RetryOptions | undefined;
  /** `sendErrorDlq` of subscriptions without a value of their own. Default false. */
  readonly sendErrorDlq?: boolean | undefined;
  /**
   * Destination of audit logs. Default: from `APP_EVENT_STREAM_AUDIT_LOG_TOPIC` (default
   * `auditLog`) and `APP_EVENT_STREAM_AUDIT_LOG_ENABLED` (default true), as in the Go SDK.
   */
  readonly audit?: AuditSettings | undefined;
  /**
   * Application that published events belong to, unless they name one: the value of the header
   * `posthaste-application`. Default: none.
   */
  readonly application?: string | undefined;
  /** Returns the W3C trace context of the publisher, for events without one of their own. */
  readonly traceparent?: (() => string | undefined) | undefined;
  /** Least severe level that this client logs. Default `off`; `warn` if a `logger` is given. */
  readonly logMode?: StreamLogMode | undefined;
  /** Default: the console. */
  readonly logger?: StreamLogger | undefined;
  /** Names of the metrics that `metrics()` returns. Default `posthaste`. */
  readonly metricNames?: MetricNames | undefined;
}

/** Options for Kafka, without those that a client sets itself. */
export type KafkaConfig = Omit<KafkaDriverOptions, 'brokers' | 'logMode' | 'logger'>;

/** Options of a client and of its stream. */
export interface ClientConfig<Topics = AnyTopics> extends ClientOptions<Topics>, KafkaConfig {
  /**
   * For `postgres`. `eventstreamMigrations` must be applied. It stays open when the client closes.
   */
  readonly database?: Database | undefined;
  /** For `postgres`: options of its consumers. */
  readonly postgres?: PostgresDriverOptions | undefined;
  /**
   * For `memory`: the stream, shared by clients that see each other's events. Default: a new one.
   */
  readonly memory?: MemoryStream | undefined;
}
