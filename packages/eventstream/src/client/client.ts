import type { EventEnvelope } from '@posthaste/contracts';
import type { AuditLogBuilder, AuditLogRequest } from '../audit/audit-log.js';
import type { PublishBuilder } from '../builders/publish.js';
import type { SubscribeBuilder } from '../builders/subscribe.js';
import type { RegisteredCallback } from '../consume/consumers.js';
import type { GroupLag } from '../driver.js';
import type { MetricFamily } from '../metrics/metric-family.js';
import type { ReceivedEvent } from './event-iterator.js';
import type { StreamHealth } from './health.js';
import type {
  AnyTopics,
  EventNameOf,
  PayloadOf,
  TopicOf,
  TypedConsumeRequest,
  TypedPublishRequest,
  TypedSubscribeRequest,
} from './topic-types.js';

export interface CloseOptions {
  /** Time to finish what consumers handle and what publishers wait for, in ms. Default 30,000. */
  readonly drainMs?: number | undefined;
}

/**
 * Publishes and consumes events on one stream. `Topics` gives the payload types by topic and event
 * name, such as `{ orders: { placed: { total: number } } }`; without it all may be anything.
 */
export interface Client<Topics = AnyTopics> {
  /**
   * A builder: resolves when the event is accepted, which takes time only when too many wait
   * already; what fails later is told to its `errorCallback`, once for each topic.
   * @throws PlatformError `EVENT_INVALID`, `EVENT_NOT_PUBLISHED`, `STREAM_CLOSED`
   */
  publish(event: PublishBuilder): Promise<EventEnvelope<object>>;
  /**
   * A plain object: resolves when the stream has acknowledged the event on every topic.
   * @throws PlatformError as `publishSync`
   */
  publish<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    event: TypedPublishRequest<Topics, Topic, EventName>,
  ): Promise<EventEnvelope<object>>;

  /**
   * Resolves when the stream has acknowledged the event on every topic.
   * @throws PlatformError `EVENT_INVALID`; `details.topic` says where it failed: `EVENT_TOO_LARGE`,
   *   `EVENT_NOT_PUBLISHED` (certainly not stored), `EVENT_OUTCOME_UNKNOWN` (perhaps stored: publish
   *   it again with the same id), `STREAM_UNAUTHORIZED`; `STREAM_CLOSED`
   */
  publishSync(event: PublishBuilder): Promise<EventEnvelope<object>>;
  publishSync<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    event: TypedPublishRequest<Topics, Topic, EventName>,
  ): Promise<EventEnvelope<object>>;

  /**
   * Publishes an audit log, unless they are turned off. A builder: resolves when it is accepted. A
   * plain object: when the stream has acknowledged it.
   * @throws PlatformError as `publish`
   */
  publishAuditLog(log: AuditLogBuilder | AuditLogRequest): Promise<void>;

  /**
   * Calls back with each event of a topic, or with those of one name; the stream is joined in the
   * background, and joined again after every failure.
   * @throws PlatformError `EVENT_INVALID`, `OPTION_INVALID`, `EVENT_ALREADY_REGISTERED`,
   *   `STREAM_CLOSED`
   */
  register(subscription: SubscribeBuilder): RegisteredCallback;
  register<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    subscription: TypedSubscribeRequest<Topics, Topic, EventName>,
  ): RegisteredCallback;

  /**
   * Events for a `for await` loop, each to be acknowledged or refused by it. Leaving the loop ends
   * the subscription.
   * @throws PlatformError as `register`
   */
  consume<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    subscription: TypedConsumeRequest<Topics, Topic, EventName>,
  ): AsyncIterableIterator<ReceivedEvent<PayloadOf<Topics, Topic, EventName>>>;

  /** Lag of the groups that read a topic (both without prefix), or of one of them. */
  lag(topic: TopicOf<Topics>, groupId?: string): Promise<readonly GroupLag[]>;

  /** How the stream, the publisher and the consumers are. Never rejects. */
  health(): Promise<StreamHealth>;

  /** What this client has done, and the lag of its groups. `toPrometheusText` writes it. */
  metrics(): Promise<readonly MetricFamily[]>;

  /**
   * Consumers finish what they handle, commit and leave; then what was published is flushed. Who
   * publishes afterwards gets `STREAM_CLOSED`. Idempotent.
   */
  close(options?: CloseOptions): Promise<void>;
}
