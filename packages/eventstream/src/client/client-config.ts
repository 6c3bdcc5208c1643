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

/** `kafka`: `brokers` says where. `postgres`: `database` says where. */
export type StreamName = 'kafka' | 'postgres' | 'memory' | 'stdout' | 'none';

/** What a client does on whatever stream. */
export interface ClientOptions<Topics = AnyTopics> extends PublisherOptions {
  /** How events are written. Default `default`. */
  readonly profile?: EnvelopeProfile | undefined;
  /** Whether user, client, session and trace ids must be UUIDs without hyphens. Default false. */
  readonly strictValidation?: boolean | undefined;
  /** Whether groups of an empty prefix begin with a dot, as those of the Go SDK do. Default false. */
  readonly leadingDotGroups?: boolean | undefined;
  /** JSON Schemas that payloads must fit, when published and when received. Default: none. */
  readonly schemas?: SchemasOf<Topics> | undefined;
  /** For subscriptions that say nothing of it. */
  readonly retry?: RetryOptions | undefined;
  /** For subscriptions that say nothing of it. Default false. */
  readonly sendErrorDlq?: boolean | undefined;
  /**
   * Where audit logs go. Default: what `APP_EVENT_STREAM_AUDIT_LOG_TOPIC` (default `auditLog`) and
   * `APP_EVENT_STREAM_AUDIT_LOG_ENABLED` (default true) say, as for the Go SDK.
   */
  readonly audit?: AuditSettings | undefined;
  /** W3C trace context of the work that publishes, for events that say nothing of it. */
  readonly traceparent?: (() => string | undefined) | undefined;
  /** Least that this client logs. Default `off`; with a `logger`, `warn`. */
  readonly logMode?: StreamLogMode | undefined;
  /** Where it logs. Default: the console. */
  readonly logger?: StreamLogger | undefined;
  /** Under which names `metrics()` gives its metrics. Default `posthaste`. */
  readonly metricNames?: MetricNames | undefined;
}

/** How to reach Kafka and use it; `brokers` and the log are given elsewhere. */
export type KafkaConfig = Omit<KafkaDriverOptions, 'brokers' | 'logMode' | 'logger'>;

/** How to reach a stream, and what to do on it. */
export interface ClientConfig<Topics = AnyTopics> extends ClientOptions<Topics>, KafkaConfig {
  /** For `postgres`: with `eventstreamMigrations` applied. It stays open when the client closes. */
  readonly database?: Database | undefined;
  /** For `postgres`: how it consumes. */
  readonly postgres?: PostgresDriverOptions | undefined;
  /** For `memory`: clients see each other's events when they share one. Default: its own. */
  readonly memory?: MemoryStream | undefined;
}
