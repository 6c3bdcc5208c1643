import { randomUUID } from 'node:crypto';
import type { AuthMode } from '../auth/authorizer.js';
import { allowsMode, type CredentialInUse, forbidden } from '../connection/credentials.js';
import type { Namespace, NamespaceDirectory } from '../namespaces/namespace.js';
import { type ChannelPath, parseChannel } from '../protocol/channel-path.js';
import type { Limits } from '../protocol/limits.js';
import { RateLimit } from '../protocol/rate-limit.js';
import { RealtimeError } from '../protocol/realtime-error.js';
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

/** Entry of `successful` in an answer. */
export interface AcceptedEvent {
  readonly identifier: string;
  /** Index in the `events` of the request. */
  readonly index: number;
}

/** Entry of `failed` in an answer. */
export interface FailedEvent extends AcceptedEvent {
  readonly code?: string;
  readonly message?: string;
}

/** Outcome of a publish for its publisher, in the shape of the wire. */
export interface PublishResult {
  readonly successful: readonly AcceptedEvent[];
  readonly failed: readonly FailedEvent[];
}

/** Publish that is accepted, and goes out by `Publisher.send`. */
export interface AcceptedPublish {
  readonly result: PublishResult;
  readonly batch: ChannelBatch;
  readonly isDurable: boolean;
}

/** Parts of a server that a publish needs. */
export interface PublisherOptions {
  readonly hub: Hub;
  readonly broker: Broker;
  readonly namespaces: NamespaceDirectory;
  readonly limits: Limits;
  readonly defaultPublishAuthModes: readonly AuthMode[] | undefined;
}

/** Way of events from publishers to the hub or the broker. */
export class Publisher {
  readonly #eventRate: RateLimit;
  readonly #messageRate: RateLimit;

  constructor(private readonly options: PublisherOptions) {
    const { limits } = options;
    this.#eventRate = new RateLimit(limits.eventsPerSecond, Date.now());
    this.#messageRate = new RateLimit(limits.messagesPerSecond, Date.now());
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
    this.#checkRates(events.length);
    return this.#toAccepted(events, { realm: identity.realm, channel, namespace });
  }

  /**
   * Delivers an accepted publish that is not durable. The publisher's answer has to be queued
   * before, because it goes before the publisher's own data.
   */
  deliver(batch: ChannelBatch): void {
    if (batch.events.length === 0) return;
    this.deliverHere(batch);
    this.options.broker.broadcast(batch);
  }

  /** Stores a durable publish; the broker delivers it afterwards. */
  async append(batch: ChannelBatch): Promise<void> {
    if (batch.events.length > 0) await this.options.broker.append(batch);
  }

  /** Delivers to the subscribers of this node. */
  deliverHere(batch: ChannelBatch): void {
    const now = Date.now();
    this.#messageRate.charge(this.options.hub.deliver(batch, now), now);
  }

  #checkEvents({ events, isHttp }: PublishRequest): readonly string[] {
    if (!Array.isArray(events) || events.length === 0) {
      throw new RealtimeError('BadRequestException', 400, 'events is no array with an event');
    }
    const { eventsPerPublish, maxPublishBytes } = this.options.limits;
    if (events.length > eventsPerPublish) {
      throw isHttp
        ? new RealtimeError(
            'BadRequestException',
            400,
            `Input exceeded ${eventsPerPublish} event limit`,
          )
        : new RealtimeError(
            'InvalidInputError',
            400,
            `input exceeded ${eventsPerPublish} event limit`,
          );
    }
    let bytes = 0;
    for (const event of events) {
      if (!isJsonText(event)) {
        throw new RealtimeError('BadRequestException', 400, 'An event is no string of valid JSON.');
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
    return events;
  }

  #checkRates(events: number): void {
    const now = Date.now();
    if (this.#messageRate.use(0, now) && this.#eventRate.use(events, now)) return;
    throw new RealtimeError('LimitExceededError', 429, 'Rate of events exceeded');
  }

  #toAccepted(
    events: readonly string[],
    { realm, channel, namespace }: { realm: string; channel: ChannelPath; namespace: Namespace },
  ): AcceptedPublish {
    const maxBytes = namespace.maxEventBytes ?? this.options.limits.maxEventBytes;
    const successful: AcceptedEvent[] = [];
    const failed: FailedEvent[] = [];
    const sent: ChannelEvent[] = [];
    for (const [index, event] of events.entries()) {
      const identifier = randomUUID();
      if (event.length * 3 > maxBytes && Buffer.byteLength(event) > maxBytes) {
        failed.push(tooLarge(identifier, index, maxBytes));
        continue;
      }
      successful.push({ identifier, index });
      sent.push({ id: identifier, event });
    }
    return {
      result: { successful, failed },
      batch: { realm, channel, events: sent },
      isDurable: namespace.durable ?? true,
    };
  }
}

function isJsonText(event: unknown): event is string {
  if (typeof event !== 'string') return false;
  try {
    JSON.parse(event);
    return true;
  } catch {
    return false;
  }
}

function tooLarge(identifier: string, index: number, maxBytes: number): FailedEvent {
  return {
    identifier,
    index,
    code: 'EventTooLargeException',
    message: `Transformed event is larger than ${Math.floor(maxBytes / 1_024)}KB`,
  };
}
