import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AuthRequest, Operation } from '../auth/authorizer.js';
import { type Hub, Subscription } from '../hub/hub.js';
import type { AcceptedPublish, Publisher } from '../hub/publisher.js';
import { type ChannelPath, parseChannel } from '../protocol/channel-path.js';
import {
  type ClientFrame,
  connectionErrorText,
  connectionTimeoutMs,
  errorText,
  parseClientFrame,
  replyText,
  toHeaders,
} from '../protocol/frames.js';
import type { Limits } from '../protocol/limits.js';
import { RateLimit } from '../protocol/rate-limit.js';
import { type ErrorEntry, RealtimeError } from '../protocol/realtime-error.js';
import { pingFrame, textFrame } from '../protocol/text-frame.js';
import { andThen } from './and-then.js';
import { type CredentialInUse, type Credentials, unauthorized } from './credentials.js';
import { OperationRequest } from './operation-request.js';
import { Outlet, type SendQueue } from './send-queue.js';
import { checkSubscribe, type SubscribeRules } from './subscribing.js';

/** Frames that may wait for one that is being handled, before no more are read. */
const maxWaitingFrames = 64;

const ackFrame = textFrame(JSON.stringify({ type: 'connection_ack', connectionTimeoutMs }));
const keepAliveFrame = textFrame('{"type":"ka"}');

/** Parts of a server that its connections use. */
export interface ConnectionHost extends SubscribeRules {
  readonly sendQueue: SendQueue;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly credentials: Credentials;
  readonly limits: Limits;
  /** Converts an error to what the client is told. Reports those that are no refusals. */
  toEntry(error: unknown): ErrorEntry;
  /** Is called once, when the socket is closed. */
  onClosed(connection: Connection): void;
  onSlow(): void;
}

/**
 * One WebSocket connection.
 *
 * authorizing → open     the credential of the connect is valid
 *             → refused  it is not; the first frame is answered with `connection_error`, then 1008
 * any         → closed
 *
 * Frames are handled one after another: one that has to wait, for an authorizer or a handler, holds
 * up those behind it. A durable publish is appended in the order of the frames, and only its answer
 * waits. A subscription is in the hub before its `subscribe_success` is queued.
 */
export class Connection extends Outlet {
  slot = 0;
  readonly openedAt: number = Date.now();
  #state: 'authorizing' | 'open' | 'refused' | 'closed' = 'authorizing';
  #credential: CredentialInUse | undefined;
  #refusal: ErrorEntry | undefined;
  #subscriptions: Map<string, Subscription> | undefined;
  /** Ids of publishes that wait for the broker. */
  #publishing: Set<string> | undefined;
  #publishRate: RateLimit | undefined;
  /** Frames behind the one that is being handled. */
  #waiting: { data: Buffer; isBinary: boolean }[] | undefined;
  #isBusy = true;
  #hasSpoken = false;
  #isAlive = true;

  constructor(
    private readonly host: ConnectionHost,
    webSocket: WebSocket,
    socket: Duplex,
  ) {
    super(host.sendQueue, webSocket, socket);
  }

  /** Begins with the credential of the connect, or with the error that refuses it. */
  begin(credential: CredentialInUse | RealtimeError | Error): void {
    if (this.#state === 'closed') return;
    if (credential instanceof Error) {
      this.#state = 'refused';
      this.#refusal = this.host.toEntry(credential);
    } else {
      this.#state = 'open';
      this.#credential = this.host.credentials.hold(credential);
    }
    this.#continue();
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.#isAlive = true;
    if (this.#state === 'closed') return;
    if (!this.#isBusy) {
      this.#handle(data, isBinary);
      return;
    }
    this.#waiting ??= [];
    if (this.#waiting.push({ data, isBinary }) === maxWaitingFrames) this.webSocket.pause();
  }

  onPong(): void {
    this.#isAlive = true;
  }

  /** Is called when the socket is closed, by whichever side. */
  onClose(): void {
    this.#state = 'closed';
    this.endFrames();
    this.#waiting = undefined;
    for (const subscription of this.#subscriptions?.values() ?? []) this.#drop(subscription);
    this.#subscriptions = undefined;
    if (this.#credential) this.host.credentials.release(this.#credential);
    this.#credential = undefined;
    this.host.onClosed(this);
  }

  /** Sends what waits, then closes. Nothing is accepted any more. */
  close(code: number, reason: string): void {
    this.#state = 'closed';
    this.endFrames();
    if (this.webSocket.isPaused) this.webSocket.resume();
    this.webSocket.close(code, reason);
  }

  terminate(): void {
    this.webSocket.terminate();
  }

  protected override onSlow(): void {
    this.host.onSlow();
    this.close(1013, 'too slow');
  }

  keepAlive(now: number): void {
    const isOld = now - this.openedAt > this.host.limits.maxConnectionMs;
    if (!this.#isAlive) this.terminate();
    else if (isOld) this.close(1001, 'connection is too old');
    this.#isAlive = false;
    this.sendFrame(this.#hasSpoken ? pingFrame + keepAliveFrame : pingFrame);
  }

  /**
   * True while a credential allows it to stay: each subscription needs its own, and with none there
   * is that of the connect.
   */
  mayStay(now: number): boolean {
    if (this.#state !== 'open') return true;
    const subscriptions = [...(this.#subscriptions?.values() ?? [])];
    if (subscriptions.length > 0)
      return subscriptions.every((each) => each.credential.isUsable(now));
    return this.#credential?.isUsable(now) ?? false;
  }

  #handle(data: Buffer, isBinary: boolean): void {
    const answering = this.#answer(data, isBinary);
    if (answering === undefined) return;
    this.#isBusy = true;
    answering.then(
      () => this.#continue(),
      // An answer fails only by a fault of the server.
      (error) => {
        this.host.toEntry(error);
        this.close(1011, 'internal error');
      },
    );
  }

  #continue(): void {
    this.#isBusy = false;
    while (!this.#isBusy && this.#state !== 'closed') {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#handle(next.data, next.isBinary);
    }
    if (this.webSocket.isPaused && (this.#waiting?.length ?? 0) < maxWaitingFrames) {
      this.webSocket.resume();
    }
  }

  #answer(data: Buffer, isBinary: boolean): Promise<void> | undefined {
    this.#hasSpoken = true;
    if (this.#refusal) {
      this.#sendText(connectionErrorText(this.#refusal));
      this.close(1008, this.#refusal.errorType);
      return undefined;
    }
    const frame = isBinary
      ? 'Binary messages are not supported.'
      : parseClientFrame(data.toString('utf8'));
    if (typeof frame === 'string') return this.#complain(undefined, badRequest(frame));
    switch (frame.type) {
      case 'connection_init':
        this.sendFrame(ackFrame + keepAliveFrame);
        return undefined;
      case 'subscribe':
        return this.#withId(frame, (id) => this.#subscribe(id, frame, data.length));
      case 'publish':
        return this.#withId(frame, (id) => this.#publish(id, frame));
      case 'unsubscribe':
        return this.#withId(frame, (id) => this.#unsubscribe(id));
      default: {
        const message = `The type '${frame.type.slice(0, 64)}' is unknown.`;
        return this.#complain(frame.id, new RealtimeError('UnsupportedOperation', 400, message));
      }
    }
  }

  #withId(
    frame: ClientFrame,
    operation: (id: string) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    if (frame.id !== undefined) return operation(frame.id);
    const message = `The ${frame.type} has no id of 1 to 128 letters, digits, '_', '+' or '-'.`;
    return this.#complain(undefined, badRequest(message));
  }

  async #subscribe(id: string, frame: ClientFrame, bytes: number): Promise<void> {
    try {
      const channel = this.#checkNewSubscription(id, frame, bytes);
      const body = { channel: frame.fields.channel };
      const credential = await this.#authorize('subscribe', { frame, channel, body });
      await checkSubscribe(this.host, credential, channel);
      if (this.#state === 'closed') return;
      const subscription = new Subscription(id, this, this.host.credentials.hold(credential));
      this.#subscriptions ??= new Map();
      this.#subscriptions.set(id, subscription);
      this.host.hub.add(subscription, channel);
      this.#sendText(replyText('subscribe_success', id));
    } catch (error) {
      this.#refuse('subscribe_error', id, error);
    }
  }

  #checkNewSubscription(id: string, frame: ClientFrame, bytes: number): ChannelPath {
    this.#checkIdIsFree(id);
    const { subscriptionsPerConnection, maxSubscribeBytes } = this.host.limits;
    if ((this.#subscriptions?.size ?? 0) >= subscriptionsPerConnection) {
      const message = `A connection has at most ${subscriptionsPerConnection} subscriptions.`;
      throw new RealtimeError('MaxSubscriptionsReachedError', 400, message);
    }
    if (bytes > maxSubscribeBytes) throw badRequest(`Input exceeded ${maxSubscribeBytes} bytes`);
    const channel = parseChannel(textOf(frame.fields.channel));
    if (channel === undefined) throw badRequest('Invalid Channel Format');
    return channel;
  }

  #publish(id: string, frame: ClientFrame): Promise<void> | undefined {
    try {
      this.#checkIdIsFree(id);
      this.#checkPublishRate();
      const { channel, events } = frame.fields;
      const body = { channel, events };
      const parsed = parseChannel(textOf(channel));
      const authorized = this.#authorize('publish', { frame, channel: parsed, body });
      const accepted = andThen(authorized, (credential) => {
        const headers = toHeaders(frame.fields.authorization) ?? {};
        return this.host.publisher.accept(credential, { channel, events, headers, isHttp: false });
      });
      if (!(accepted instanceof Promise)) {
        this.#finishPublish(id, accepted);
        return undefined;
      }
      return accepted.then(
        (publish) => this.#finishPublish(id, publish),
        (error) => this.#refuse('publish_error', id, error),
      );
    } catch (error) {
      this.#refuse('publish_error', id, error);
      return undefined;
    }
  }

  /** A durable publish is answered later, and holds up no other frame. */
  #finishPublish(id: string, { batch, result, isDurable }: AcceptedPublish): void {
    const success = JSON.stringify({ type: 'publish_success', id, ...result });
    if (!isDurable) {
      this.#sendText(success);
      this.host.publisher.deliver(batch);
      return;
    }
    this.#publishing ??= new Set();
    this.#publishing.add(id);
    this.host.publisher
      .append(batch)
      .then(
        () => this.#sendText(success),
        (error) => this.#refuse('publish_error', id, error),
      )
      .finally(() => this.#publishing?.delete(id));
  }

  #unsubscribe(id: string): undefined {
    const subscription = this.#subscriptions?.get(id);
    if (subscription === undefined) {
      const unknown = new RealtimeError('UnknownOperationError', 400, `Unknown operation id ${id}`);
      this.#refuse('unsubscribe_error', id, unknown);
      return;
    }
    this.#subscriptions?.delete(id);
    this.#drop(subscription);
    this.#sendText(replyText('unsubscribe_success', id));
  }

  #drop(subscription: Subscription): void {
    this.host.hub.remove(subscription);
    this.host.credentials.release(subscription.credential);
  }

  /** An operation without a credential of its own uses that of the connect. */
  #authorize(
    operation: Operation,
    {
      frame,
      channel,
      body,
    }: { frame: ClientFrame; channel: ChannelPath | undefined; body: object },
  ): CredentialInUse | Promise<CredentialInUse> {
    const headers = toHeaders(frame.fields.authorization);
    if (headers !== undefined) {
      const request: AuthRequest = new OperationRequest(operation, { headers, channel, body });
      return this.host.credentials.authorize(request);
    }
    if (this.#credential?.isUsable(Date.now())) return this.#credential;
    throw unauthorized();
  }

  #checkIdIsFree(id: string): void {
    if (!this.#subscriptions?.has(id) && !this.#publishing?.has(id)) return;
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

  #complain(id: string | undefined, error: RealtimeError): undefined {
    this.#refuse('error', id, error);
  }

  #refuse(type: string, id: string | undefined, error: unknown): void {
    this.#sendText(errorText(type, id, this.host.toEntry(error)));
  }

  #sendText(text: string): void {
    this.sendFrame(textFrame(text));
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function badRequest(message: string): RealtimeError {
  return new RealtimeError('BadRequestException', 400, message);
}
