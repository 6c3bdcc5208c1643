import { randomUUID } from 'node:crypto';
import { parseChannel } from '@posthaste/contracts';
import type { AdmittedOperation, AuthMode } from '../auth/authorizer.js';
import { andThen } from '../connection/and-then.js';
import { allowsMode, type CredentialInUse, forbidden } from '../connection/credentials.js';
import type { SendQueue } from '../connection/send-queue.js';
import type { RealtimeMetrics } from '../metrics.js';
import type { NamespaceDirectory } from '../namespaces/namespace.js';
import type { PublishOutcome } from '../namespaces/publish-run.js';
import type { HandlerRunner } from '../namespaces/run-handlers.js';
import type { Limits } from '../protocol/limits.js';
import { TenantRates } from '../protocol/rate-limit.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import type { DeliveryChoice } from '../server-options.js';
import type { Broker, ChannelBatch, ChannelEvent } from './broker.js';
import type { Hub } from './hub.js';

/** Publish as a client sent it. */
export interface PublishRequest {
  readonly channel: unknown;
  readonly events: unknown;
  /** Of the operation, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isHttp: boolean;
}

/** Publish that is accepted, and goes out by `Publisher.send`. */
export interface AcceptedPublish {
  /** Outcome for the publisher, in the shape of the wire. */
  readonly result: Pick<PublishOutcome, 'successful' | 'failed'>;
  readonly batch: ChannelBatch;
  readonly isDurable: boolean;
}

/** Parts of a server that a publish needs. */
export interface PublisherOptions {
  readonly hub: Hub;
  readonly broker: Broker;
  readonly namespaces: NamespaceDirectory;
  readonly handlers: HandlerRunner;
  readonly limits: Limits;
  readonly sendQueue: SendQueue;
  /** Default: nothing is measured. */
  readonly metrics: RealtimeMetrics | undefined;
  readonly defaultPublishAuthModes: readonly AuthMode[] | undefined;
  /** Throws to refuse an operation that is allowed, but over a limit. Default: refuses nothing. */
  readonly admit: ((operation: AdmittedOperation) => void) | undefined;
}

/** Way of events from publishers to the hub or the broker. */
export class Publisher {
  readonly #eventRates: TenantRates;
  readonly #messageRates: TenantRates;

  constructor(private readonly options: PublisherOptions) {
    const { limits } = options;
    this.#eventRates = new TenantRates(limits.eventsPerSecond);
    this.#messageRates = new TenantRates(limits.messagesPerSecond);
  }

  /**
   * Checks a publish.
   * @throws RealtimeError for the whole batch
   */
  accept(
    credential: CredentialInUse,
    request: PublishRequest,
  ): AcceptedPublish | Promise<AcceptedPublish> {
    const { identity } = credential;
    const channel = parseChannel(typeof request.channel === 'string' ? request.channel : '');
    if (channel === undefined || channel.isWildcard) {
      throw new RealtimeError('BadRequestException', 400, 'Invalid Channel Format');
    }
    const namespace = this.options.namespaces.find(identity.realm, channel.segments[0]);
    if (namespace === undefined) throw new RealtimeError('UnauthorizedException', 401);
    const modes = namespace.publishAuthModes ?? this.options.defaultPublishAuthModes;
    if (!allowsMode(modes, identity.mode)) throw forbidden();
    if (identity.mayUse?.('publish', channel) === false) throw forbidden();
    const events = this.#checkEvents(request);
    this.#checkRates(identity.realm, events.length);
    this.options.admit?.({ identity, operation: 'publish', events: events.length });
    const { realm } = identity;
    const { headers } = request;
    const handled = this.options.handlers.publish(namespace, {
      identity,
      headers,
      channel,
      events,
    });
    return andThen(handled, ({ broadcast, successful, failed, dropped }) => {
      this.options.metrics?.onAccepted(namespace.name, dropped);
      return {
        result: { successful, failed },
        batch: { realm, channel, events: broadcast },
        isDurable: namespace.durable ?? true,
      };
    });
  }

  /**
   * Delivers an accepted publish that is not durable. The publisher's answer has to be queued
   * before, because it goes before the publisher's own data.
   */
  deliver(batch: ChannelBatch): void {
    const [first] = batch.events;
    if (first === undefined) return;
    this.options.metrics?.onSent(first.id);
    this.deliverHere(batch);
    this.options.broker.broadcast(batch);
  }

  /** Stores a durable publish; the broker delivers it afterwards. */
  async append(batch: ChannelBatch): Promise<void> {
    const [first] = batch.events;
    if (first === undefined) return;
    const { metrics, broker } = this.options;
    metrics?.onSent(first.id);
    try {
      await broker.append(batch);
    } catch (error) {
      metrics?.takeStart(first.id);
      throw error;
    }
  }

  /** Delivers to the subscribers of this node. */
  deliverHere(batch: ChannelBatch, choice?: DeliveryChoice): void {
    const now = Date.now();
    const messages = this.options.hub.deliver(batch, now, choice);
    if (messages > 0) this.#messageRates.of(batch.realm, now).charge(messages, now);
    const [first] = batch.events;
    const startedAt = first && this.options.metrics?.takeStart(first.id);
    if (startedAt !== undefined) this.options.sendQueue.time(startedAt);
  }

  /** Counts a publish that was refused as a whole. */
  onRefused(): void {
    this.options.metrics?.onRefused();
  }

  #checkEvents({ events, isHttp }: PublishRequest): ChannelEvent[] {
    if (!Array.isArray(events) || events.length === 0) {
      throw new RealtimeError('BadRequestException', 400, 'events is no array with an event');
    }
    const { eventsPerPublish, maxPublishBytes } = this.options.limits;
    if (events.length > eventsPerPublish) {
      const message = `nput exceeded ${eventsPerPublish} event limit`;
      if (isHttp) throw new RealtimeError('BadRequestException', 400, `I${message}`);
      throw new RealtimeError('InvalidInputError', 400, `i${message}`);
    }
    let bytes = 0;
    for (const event of events) {
      if (typeof event !== 'string') {
        throw new RealtimeError('BadRequestException', 400, 'An event is no string.');
      }
      bytes += Buffer.byteLength(event);
    }
    if (bytes > maxPublishBytes) {
      throw new RealtimeError(
        'BadRequestException',
        400,
        `Input exceeded ${maxPublishBytes} bytes`,
      );
    }
    return events.map((event: string) => ({ id: randomUUID(), event }));
  }

  #checkRates(realm: string, events: number): void {
    const now = Date.now();
    const hasMessagesLeft = this.#messageRates.of(realm, now).use(0, now);
    if (hasMessagesLeft && this.#eventRates.of(realm, now).use(events, now)) return;
    throw new RealtimeError('LimitExceededError', 429, 'Rate of events exceeded');
  }
}
