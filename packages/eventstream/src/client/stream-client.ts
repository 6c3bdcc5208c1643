import type { EventEnvelope } from '@posthaste/contracts';
import { withTimeout } from '@posthaste/contracts';
import type { AuditLogBuilder, AuditLogRequest } from '../audit/audit-log.js';
import { readAuditSettings } from '../audit/build-audit-log.js';
import { PublishBuilder, type PublishRequest } from '../builders/publish.js';
import {
  type RegistrationOptions,
  SubscribeBuilder,
  type SubscribeRequest,
  toRegistration,
  toSubscription,
} from '../builders/subscribe.js';
import { Consumers, type RegisteredCallback } from '../consume/consumers.js';
import type { ConsumerName } from '../consume/observer.js';
import type { Registration } from '../consume/registration.js';
import type { GroupLag } from '../driver.js';
import { decodeRecord } from '../envelope/decode-record.js';
import type { MetricFamily } from '../metrics/metric-family.js';
import { toOriginalFamilies } from '../metrics/original-names.js';
import { toOwnFamilies } from '../metrics/own-names.js';
import { Publisher } from '../publish/publisher.js';
import { toWireGroup, toWireTopic } from '../rules/topic-name.js';
import { CheckedRegistrations } from './checked-registrations.js';
import type { CloseOptions } from './client.js';
import type { ClientOptions } from './client-config.js';
import { type ClientObservers, createObservers, RegisteredEventNames } from './client-observer.js';
import { EventIterator, type ReceivedEvent } from './event-iterator.js';
import { EventPublishing } from './event-publishing.js';
import { checkHealth, type StreamHealth } from './health.js';
import type { OpenDriver } from './open-driver.js';
import { PayloadSchemas, type PayloadSchemaTable } from './payload-schemas.js';
import type { StreamLogger } from './stream-log.js';

const defaultDrainMs = 30_000;

/** Share of the drain time for consumers. The rest is for events that they publish meanwhile. */
const consumersShare = 0.8;

/** Longest wait for the lag in `metrics`, in ms. */
const lagTimeoutMs = 5_000;

/** Options of a stream client. */
export interface StreamClientOptions {
  readonly prefix: string;
  readonly stream: OpenDriver;
  readonly options: Omit<ClientOptions, 'schemas'>;
  readonly schemas: PayloadSchemaTable | undefined;
  readonly log: StreamLogger;
}

/** The client without the types of its topics. `Client` has them, and documents the methods. */
export class StreamClient {
  readonly #stream: OpenDriver;
  readonly #options: Omit<ClientOptions, 'schemas'>;
  readonly #names: RegistrationOptions;
  readonly #observers: ClientObservers;
  readonly #publisher: Publisher;
  readonly #publishing: EventPublishing;
  readonly #consumers: Consumers;
  readonly #checked: CheckedRegistrations;
  readonly #eventNames = new RegisteredEventNames();
  readonly #loops = new Set<EventIterator>();
  #closing: Promise<void> | undefined;

  constructor({ prefix, stream, options, schemas: table, log }: StreamClientOptions) {
    const { driver } = stream;
    this.#stream = stream;
    this.#options = options;
    this.#names = { prefix, group: { leadingDot: options.leadingDotGroups ?? false } };
    this.#observers = createObservers(log);
    const publisher = new Publisher({ driver, observer: this.#observers.publishing }, options);
    const schemas = new PayloadSchemas(table);
    this.#publisher = publisher;
    // As the Go SDK does, which this package must be able to replace.
    const audit = options.audit ?? readAuditSettings(process.env);
    this.#publishing = new EventPublishing({ prefix, options, audit, publisher, schemas, log });
    this.#checked = new CheckedRegistrations(schemas);
    this.#consumers = new Consumers({
      driver,
      appender: { append: (topic, record) => publisher.send(topic, record) },
      decode: decodeRecord,
      observer: this.#observers.consuming,
    });
  }

  publish(event: PublishBuilder | PublishRequest): Promise<EventEnvelope<object>> {
    if (event instanceof PublishBuilder) return this.#publishing.accept(event.build());
    return this.#publishing.send(event);
  }

  publishSync(event: PublishBuilder | PublishRequest): Promise<EventEnvelope<object>> {
    return this.#publishing.send(event);
  }

  publishAuditLog(log: AuditLogBuilder | AuditLogRequest): Promise<void> {
    return this.#publishing.sendAuditLog(log);
  }

  register(subscription: SubscribeBuilder | SubscribeRequest): RegisteredCallback {
    const isBuilder = subscription instanceof SubscribeBuilder;
    const request = isBuilder ? subscription.build() : subscription;
    return this.#register(toRegistration(request, this.#names), request.topic);
  }

  consume(subscription: SubscribeRequest): AsyncIterableIterator<ReceivedEvent> {
    const loop = new EventIterator((ended) => this.#loops.delete(ended));
    const handler = { kind: 'event', callback: loop.callback } as const;
    const registration = { ...toSubscription(subscription, this.#names), handler };
    this.#loops.add(loop);
    loop.attach(this.#register(registration, subscription.topic));
    return loop;
  }

  lag(topic: string, groupId?: string): Promise<readonly GroupLag[]> {
    const { prefix, group } = this.#names;
    const wireGroup = groupId === undefined ? undefined : toWireGroup(prefix, groupId, group);
    return this.#stream.driver.lag(toWireTopic(prefix, topic), wireGroup);
  }

  health(): Promise<StreamHealth> {
    return checkHealth({
      driver: this.#stream.driver,
      publisher: this.#publisher,
      consumers: this.#consumers.status(),
    });
  }

  async metrics(): Promise<readonly MetricFamily[]> {
    const { published, consumed } = this.#observers;
    const { bufferedRecords, bufferedBytes } = this.#publisher;
    const source = {
      published: published.topics,
      buffered: { records: bufferedRecords, bytes: bufferedBytes },
      consumed: [...consumed.consumers],
      statuses: this.#consumers.status(),
      lags: await this.#lags(),
      toReader: (name: ConsumerName) => ({
        topic: this.#withoutPrefix(name.topic),
        event: this.#eventNames.of(name),
      }),
    };
    const isOriginal = this.#options.metricNames === 'original';
    return isOriginal ? toOriginalFamilies(source) : toOwnFamilies(source);
  }

  close({ drainMs = defaultDrainMs }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** @param topic without prefix */
  #register(registration: Registration, topic: string): RegisteredCallback {
    const { retry = this.#options.retry, sendErrorDlq = this.#options.sendErrorDlq } = registration;
    const completed = { ...registration, retry, sendErrorDlq };
    const registered = this.#consumers.register(this.#checked.check(completed, topic));
    this.#eventNames.add(registration, registration.eventName);
    return registered;
  }

  #withoutPrefix(topic: string): string {
    const { prefix } = this.#names;
    return prefix === '' ? topic : topic.slice(prefix.length + 1);
  }

  /** Returns the lags, without those that do not arrive in time: the other metrics matter too. */
  async #lags(): Promise<readonly GroupLag[]> {
    const none: readonly GroupLag[] = [];
    const asked = this.#consumers.status().map(({ topic, groupId }) => {
      const lag = this.#stream.driver.lag(topic, groupId).catch(() => none);
      return withTimeout(lag, lagTimeoutMs, () => none);
    });
    return (await Promise.all(asked)).flat();
  }

  async #close(drainMs: number): Promise<void> {
    const endMs = performance.now() + drainMs;
    const left = this.#consumers.close({ drainMs: drainMs * consumersShare });
    for (const loop of this.#loops) void loop.end();
    await left;
    await this.#publisher.close(Math.max(0, endMs - performance.now()));
    await this.#stream.close();
  }
}
