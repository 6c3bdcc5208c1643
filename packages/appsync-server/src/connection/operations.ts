import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelPath, parseChannel } from '@posthaste/contracts';
import { unauthorized } from '../auth/auth-modes.js';
import type { AuthClient, AuthRequest, Operation } from '../auth/authorizer.js';
import { toAuthHeaders } from '../auth/credential-object.js';
import type { ChannelBatch } from '../hub/broker.js';
import type { AcceptedPublish, Publisher } from '../hub/publisher.js';
import type { Extensions } from '../protocol/extensions.js';
import { type ClientFrame, errorText, replyText } from '../protocol/frames.js';
import { RateLimit } from '../protocol/rate-limit.js';
import { type ErrorEntry, RealtimeError } from '../protocol/realtime-error.js';
import { andThen } from './and-then.js';
import type { CredentialInUse } from './credentials.js';
import { OperationRequest } from './operation-request.js';
import type { Outlet } from './send-queue.js';
import { checkSubscribe, endingOf, type SubscribeRules, toSubscribeError } from './subscribing.js';
import { Subscriptions, type SubscriptionsHost } from './subscriptions.js';

/** Publishes that may wait for the broker before the frames behind them wait too. */
const maxWaitingPublishes = 64;
const maxWaitingPublishBytes = 4_194_304;

/**
 * Time in which no frame is handled after one was refused for a limit, in ms: a client that does not
 * heed limits is read slowly, and leaves the process to others.
 */
const limitPauseMs = 100;

/** Parts of a server that operations use. */
export interface OperationsHost extends SubscribeRules, SubscriptionsHost {
  readonly publisher: Publisher;
  /**
   * Returns undefined as soon as the broker has begun; before, a promise for it.
   * @throws PlatformError `STOPPING` if it takes too long
   */
  beginning(): Promise<void> | undefined;
  /** Converts an error to what the client is told. Reports those that are no refusals. */
  toEntry(error: unknown): ErrorEntry;
}

/**
 * Operations of one connection: its subscriptions, and its publishes that wait for the broker. Each
 * returns a promise only if the frames behind it have to wait. A durable publish is appended in the
 * order of the frames, and only its answer waits.
 */
export class Operations {
  readonly #subscriptions: Subscriptions;
  /** Extensions that the client has asked for, of those that the server has. */
  extensions: Extensions | undefined;
  /** Ids of publishes that wait for the broker. */
  #publishing: Set<string> | undefined;
  #publishingBytes = 0;
  #publishRate: RateLimit | undefined;
  #isClosed = false;
  /** Client that sends the operations. */
  client: AuthClient | undefined;

  /** @param connectCredential used by operations that have none of their own */
  constructor(
    private readonly host: OperationsHost,
    private readonly outlet: Outlet,
    private readonly connectCredential: CredentialInUse | undefined,
  ) {
    this.#subscriptions = new Subscriptions(host, outlet);
  }

  /** True if it knows the type of the frame. */
  static handles({ type }: ClientFrame): boolean {
    return type === 'subscribe' || type === 'publish' || type === 'unsubscribe';
  }

  /** Answers a frame whose type it handles. @param bytes length of the frame */
  answer(id: string, frame: ClientFrame, bytes: number): Promise<void> | undefined {
    if (frame.type === 'publish') return this.#publish(id, frame, bytes);
    if (frame.type === 'subscribe') return this.#subscribe(id, frame, bytes);
    return this.#unsubscribe(id);
  }

  /** True if no subscription has lost its credential; undefined if there is none. */
  haveCredentials(now: number): boolean | undefined {
    return this.#subscriptions.haveCredentials(now);
  }

  /** Ends all subscriptions. */
  close(): void {
    this.#isClosed = true;
    this.#subscriptions.close();
  }

  async #subscribe(id: string, frame: ClientFrame, bytes: number): Promise<void> {
    try {
      const channel = this.#checkNewSubscription(id, frame, bytes);
      // Until then, what is published may not come.
      const beginning = this.host.beginning();
      if (beginning) await beginning;
      const body = { channel: frame.fields.channel };
      const credential = await this.#authorize('subscribe', { frame, channel, body });
      const headers = toAuthHeaders(frame.fields.authorization) ?? {};
      const namespace = await checkSubscribe(this.host, credential, { channel, headers });
      const presence = this.extensions?.has('presence')
        ? await this.#subscriptions.checkPresence(channel, credential, frame.fields.presence)
        : undefined;
      if (this.#isClosed) return;
      // The namespace may have been removed while a handler ran.
      const ending = endingOf(this.host, credential, channel);
      if (ending) throw ending;
      const { fields } = frame;
      const allowed = { id, channel, namespace, credential, fields, presence };
      this.#subscriptions.add(allowed, this.extensions);
    } catch (error) {
      await this.#refuse('subscribe_error', id, error);
    }
  }

  #checkNewSubscription(id: string, frame: ClientFrame, bytes: number): ChannelPath {
    this.#checkIdIsFree(id);
    this.#subscriptions.checkCount();
    const { maxSubscribeBytes } = this.host.limits;
    if (bytes > maxSubscribeBytes) throw badRequest(`Input exceeded ${maxSubscribeBytes} bytes`);
    const channel = parseChannel(textOf(frame.fields.channel));
    if (channel === undefined) throw badRequest('Invalid Channel Format');
    return channel;
  }

  #publish(id: string, frame: ClientFrame, bytes: number): Promise<void> | undefined {
    try {
      this.#checkIdIsFree(id);
      this.#checkPublishRate();
      const { channel, events } = frame.fields;
      const body = { channel, events };
      const parsed = parseChannel(textOf(channel));
      const authorized = this.#authorize('publish', { frame, channel: parsed, body });
      const accepted = andThen(authorized, (credential) => {
        const headers = toAuthHeaders(frame.fields.authorization) ?? {};
        return this.host.publisher.accept(credential, { channel, events, headers, isHttp: false });
      });
      if (!(accepted instanceof Promise)) return this.#finishPublish(id, accepted, bytes);
      return accepted.then(
        (publish) => this.#finishPublish(id, publish, bytes),
        (error) => this.#refuse('publish_error', id, error),
      );
    } catch (error) {
      return this.#refuse('publish_error', id, error);
    }
  }

  #finishPublish(
    id: string,
    { batch, result, isDurable }: AcceptedPublish,
    bytes: number,
  ): Promise<void> | undefined {
    const success = JSON.stringify({ type: 'publish_success', id, ...result });
    if (!isDurable) {
      this.outlet.sendText(success);
      this.host.publisher.deliver(batch);
      return undefined;
    }
    this.#publishing ??= new Set();
    this.#publishing.add(id);
    this.#publishingBytes += bytes;
    const answered = this.#append(id, batch, success).finally(() => {
      this.#publishing?.delete(id);
      this.#publishingBytes -= bytes;
    });
    const isFull =
      this.#publishing.size >= maxWaitingPublishes ||
      this.#publishingBytes > maxWaitingPublishBytes;
    return isFull ? answered : undefined;
  }

  async #append(id: string, batch: ChannelBatch, success: string): Promise<void> {
    try {
      await this.host.publisher.append(batch);
      this.outlet.sendText(success);
    } catch (error) {
      await this.#refuse('publish_error', id, error);
    }
  }

  #unsubscribe(id: string): undefined {
    if (this.#subscriptions.remove(id)) {
      this.outlet.sendText(replyText('unsubscribe_success', id));
      return;
    }
    const unknown = new RealtimeError('UnknownOperationError', 400, `Unknown operation id ${id}`);
    void this.#refuse('unsubscribe_error', id, unknown);
    return undefined;
  }

  /** An operation without a credential of its own uses that of the connect, if it is for all. */
  #authorize(
    operation: Operation,
    {
      frame,
      channel,
      body,
    }: { frame: ClientFrame; channel: ChannelPath | undefined; body: object },
  ): CredentialInUse | Promise<CredentialInUse> {
    const headers = toAuthHeaders(frame.fields.authorization);
    if (headers !== undefined) {
      const parts = { headers, channel, body, client: this.client };
      const request: AuthRequest = new OperationRequest(operation, parts);
      return this.host.credentials.authorize(request);
    }
    const { connectCredential } = this;
    // A webhook authorizer decides about each operation and channel, and has only seen the connect.
    const isDecided = connectCredential?.identity.mode !== 'AWS_LAMBDA';
    if (isDecided && connectCredential?.isUsable(Date.now())) return connectCredential;
    throw unauthorized();
  }

  #checkIdIsFree(id: string): void {
    if (!this.#subscriptions.has(id) && !this.#publishing?.has(id)) return;
    throw new RealtimeError('DuplicatedOperationError', 400, `The id ${id} is in use.`);
  }

  #checkPublishRate(): void {
    const now = Date.now();
    const { publishesPerSecond } = this.host.limits;
    this.#publishRate ??= new RateLimit(publishesPerSecond, now);
    if (this.#publishRate.use(1, now)) return;
    const message = `A connection publishes at most ${publishesPerSecond} times a second.`;
    throw new RealtimeError('LimitExceededError', 429, message);
  }

  /** Answers with an error. Returns a promise if the frames behind have to wait. */
  #refuse(type: string, id: string, error: unknown): Promise<void> | undefined {
    this.outlet.onFault();
    if (type === 'publish_error') this.host.publisher.onRefused();
    const shown = type === 'subscribe_error' ? toSubscribeError(this.host, error) : error;
    this.outlet.sendText(errorText(type, id, this.host.toEntry(shown)));
    const isLimit = error instanceof RealtimeError && error.errorType === 'LimitExceededError';
    return isLimit ? sleep(limitPauseMs) : undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function badRequest(message: string): RealtimeError {
  return new RealtimeError('BadRequestException', 400, message);
}
