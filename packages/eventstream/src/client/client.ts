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

/** Options of `close`. */
export interface CloseOptions {
  /**
   * Time to finish the records that are handled and the events that are published. Default 30,000
   * ms.
   */
  readonly drainMs?: number | undefined;
}

/**
 * A client that publishes and consumes events on one stream. `Topics` has the payload types by
 * topic and event name, such as `{ orders: { placed: { total: number } } }`; by default any are
 * allowed.
 */
export interface Client<Topics = AnyTopics> {
  /**
   * Publishes the event of a builder. Resolves when the event is accepted, which takes time only
   * when too many are waiting already. `errorCallback` is called for later failures, once per
   * topic.
   * @throws PlatformError `EVENT_INVALID`, `EVENT_NOT_PUBLISHED`, `STREAM_CLOSED`
   */
  publish(event: PublishBuilder): Promise<EventEnvelope<object>>;
  /**
   * Publishes a plain object. Resolves when the stream has acknowledged the event on every topic.
   * @throws PlatformError as `publishSync`
   */
  publish<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    event: TypedPublishRequest<Topics, Topic, EventName>,
  ): Promise<EventEnvelope<object>>;

  /**
   * Publishes an event. Resolves when the stream has acknowledged it on every topic.
   * @throws PlatformError `EVENT_INVALID`, `STREAM_CLOSED`; with the topic in `details.topic`:
   *   `EVENT_TOO_LARGE`, `EVENT_NOT_PUBLISHED` (certainly not stored), `EVENT_OUTCOME_UNKNOWN`
   *   (perhaps stored: publish it again with the same id), `STREAM_UNAUTHORIZED`
   */
  publishSync(event: PublishBuilder): Promise<EventEnvelope<object>>;
  publishSync<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    event: TypedPublishRequest<Topics, Topic, EventName>,
  ): Promise<EventEnvelope<object>>;

  /**
   * Publishes an audit log, unless audit logs are disabled. Resolves when it is accepted (for a
   * builder), or when the stream has acknowledged it (for a plain object).
   * @throws PlatformError as `publish`
   */
  publishAuditLog(log: AuditLogBuilder | AuditLogRequest): Promise<void>;

  /**
   * Registers a handler for the events of a topic, or for those of one name. The consumer joins
   * its group in the background, and joins again after every failure.
   * @throws PlatformError `EVENT_INVALID`, `OPTION_INVALID`, `EVENT_ALREADY_REGISTERED`,
   *   `STREAM_CLOSED`
   */
  register(subscription: SubscribeBuilder): RegisteredCallback;
  register<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    subscription: TypedSubscribeRequest<Topics, Topic, EventName>,
  ): RegisteredCallback;

  /**
   * Returns events for a `for await` loop, which acknowledges or refuses each of them. Leaving the
   * loop ends the subscription.
   * @throws PlatformError as `register`
   */
  consume<Topic extends TopicOf<Topics>, EventName extends EventNameOf<Topics, Topic>>(
    subscription: TypedConsumeRequest<Topics, Topic, EventName>,
  ): AsyncIterableIterator<ReceivedEvent<PayloadOf<Topics, Topic, EventName>>>;

  /**
   * Returns the lag of the groups that read a topic, or of one of them. Names are without prefix.
   */
  lag(topic: TopicOf<Topics>, groupId?: string): Promise<readonly GroupLag[]>;

  /** Returns the state of the stream, the publisher and the consumers. Never rejects. */
  health(): Promise<StreamHealth>;

  /**
   * Returns the metrics of this client and the lag of its groups. `toPrometheusText` writes them.
   */
  metrics(): Promise<readonly MetricFamily[]>;

  /**
   * Closes the client. Consumers finish the records in hand, commit and leave; then accepted events
   * are flushed. Publishing fails with `STREAM_CLOSED` afterwards. Idempotent.
   */
  close(options?: CloseOptions): Promise<void>;
}
