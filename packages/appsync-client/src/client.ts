import { AppSyncError } from './appsync-error.js';
import {
  type ClientOptions,
  type ClientState,
  newOperationId,
  type ReconnectOptions,
} from './client-options.js';
import { systemClock } from './clock.js';
import type { Authorize, Config } from './config.js';
import { type Connection, type DialOptions, dialWebSocket, ended } from './dial.js';
import { Link, type Redial } from './link.js';
import { Pace } from './pace.js';
import { type Authorization, normaliseChannel, type ReceiveMessage } from './protocol.js';
import {
  type PublishOptions,
  type PublishResult,
  publishOverHttp,
  publishParts,
} from './publish.js';
import type { Session } from './session.js';
import { SharedSubscription } from './shared-subscription.js';
import { type SubscribeOptions, Subscription } from './subscription.js';
import { TypedChannel, type Validator } from './typed-channel.js';

/** Headers of all operations, or what gives them. */
export type AuthorizationSource = Authorization | Authorize | Config;

/** Options of `createWebSocketClient`. */
export interface WebSocketClientOptions extends ClientOptions {
  /** Opens the next connection after the first was lost. Default: the client ends with it. */
  readonly redial?: Redial | undefined;
  readonly reconnect?: ReconnectOptions | undefined;
}

/** Creates a client on an open connection. It asks the server for the acknowledgement at once. */
export function createWebSocketClient(
  connection: Connection,
  authorization: AuthorizationSource,
  options: WebSocketClientOptions = {},
): WebSocketClient {
  return new WebSocketClient(connection, authorization, options);
}

/**
 * Connects, and connects again when the connection is lost. Resolves when the server has
 * acknowledged.
 * @throws AppSyncError those of `dialWebSocket`; `server_error` when the credential is refused
 */
export async function connect(
  config: Config,
  {
    signal,
    ...options
  }: ClientOptions &
    Pick<DialOptions, 'signal'> & { readonly reconnect?: ReconnectOptions | false } = {},
): Promise<WebSocketClient> {
  const { WebSocket, timeoutMs, reconnect, ...rest } = options;
  const dialOptions = { ...(WebSocket && { WebSocket }), ...(timeoutMs && { timeoutMs }) };
  const redial: Redial = (isRefused) => dialWebSocket(config, { ...dialOptions, isRefused });
  const connection = await dialWebSocket(config, { ...dialOptions, ...(signal && { signal }) });
  const client = createWebSocketClient(connection, config, {
    ...rest,
    ...(timeoutMs && { timeoutMs }),
    ...(reconnect === false ? {} : { redial, reconnect }),
  });
  const onAbort = (): void => client.close();
  signal?.addEventListener('abort', onAbort);
  try {
    await client.ready;
    return client;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Client of one server over one WebSocket at a time. */
export class WebSocketClient implements AsyncDisposable {
  /** Resolves when the server has acknowledged the first time. */
  readonly ready: Promise<void>;
  readonly #link: Link;
  readonly #authorize: Authorize;
  readonly #config: Config | undefined;
  readonly #options: ClientOptions;
  readonly #pace: Pace;
  /** By normalised channel. */
  readonly #channels = new Map<string, SharedSubscription>();
  /** By their id on the connection: every frame is looked up here. */
  readonly #byId = new Map<string, SharedSubscription>();
  readonly #starts = new WeakMap<SharedSubscription, Promise<void>>();
  #offline = 0;

  /** Use `createWebSocketClient` or `connect`. */
  constructor(
    connection: Connection,
    authorization: AuthorizationSource,
    options: WebSocketClientOptions,
  ) {
    this.#options = options;
    this.#config = 'httpUrl' in authorization ? (authorization as Config) : undefined;
    this.#authorize = toAuthorize(authorization);
    this.#pace = new Pace(options.clock ?? systemClock, options.publishesPerSecond ?? 25);
    this.#link = new Link(connection, options, {
      onFrame: (frame) => this.#receive(frame),
      onOpen: (session) => {
        for (const shared of this.#channels.values()) this.#start(shared, session);
      },
      onClosed: (error) => {
        for (const shared of this.#channels.values()) shared.end(error);
        this.#channels.clear();
        this.#byId.clear();
      },
    });
    this.ready = this.#link.whenOpen().then(() => undefined);
    this.ready.catch(() => undefined);
  }

  get state(): ClientState {
    return this.#link.state;
  }

  /** First fatal error; with reconnecting, only when the client has given up. */
  get err(): AppSyncError | undefined {
    return this.#link.err;
  }

  /**
   * Subscribes to a channel, or to all below one (`/default/*`). Returns at once; `ready` resolves
   * when the server has acknowledged. Subscriptions of one channel share one at the server.
   * @throws AppSyncError `subscription_called` with `exclusive`; `connection_closed`
   */
  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    if (this.state === 'closed') throw this.err ?? closedError();
    if (options.signal?.aborted) throw ended(options.signal);
    const path = normaliseChannel(channel);
    const known = this.#channels.get(path);
    if (known && options.exclusive) {
      throw new AppSyncError('subscription_called', `${path} is subscribed to already`);
    }
    const shared = known ?? new SharedSubscription(path, this.#authorize, options.presence);
    const owner = {
      ready: shared.ready,
      leave: (subscription: Subscription) => this.#leave(shared, subscription),
    };
    const subscription = new Subscription(path, owner, options);
    shared.consumers.add(subscription);
    if (!known) {
      this.#channels.set(path, shared);
      if (this.state === 'open') this.#start(shared, this.#link.session);
    }
    return subscription;
  }

  /** Returns a channel whose events are checked by a validator of the Standard Schema. */
  channel<Event>(channel: string, validator: Validator<Event>): TypedChannel<Event> {
    return new TypedChannel(this, channel, validator);
  }

  /**
   * Publishes events, each a JSON text that is sent as it is.
   * @throws AppSyncError `server_error`, `timed_out`, `context_ended`, `connection_closed`, …; with
   *   the results before it when a part of a long list fails
   */
  publish(
    channel: string,
    events: readonly string[],
    options: PublishOptions = {},
  ): Promise<PublishResult> {
    const way = options.over ?? this.#options.publishOver ?? 'websocket';
    const path = normaliseChannel(channel);
    return publishParts(events, (part) => {
      const body = JSON.stringify({ channel: path, events: part });
      const isHttp = way === 'http' || (way === 'any' && this.state !== 'open');
      return isHttp
        ? this.#publishOverHttp(body, options)
        : this.#publishOverSocket({ channel: path, events: part, body }, options);
    });
  }

  /** Publishes values as JSON. @throws those of `publish`; AppSyncError `marshal_failed` */
  async publishJson(
    channel: string,
    values: readonly unknown[],
    options?: PublishOptions,
  ): Promise<PublishResult> {
    const events = values.map((value) => {
      const text = toJson(value);
      if (text === undefined) throw new AppSyncError('marshal_failed', 'the value is not JSON');
      return text;
    });
    return this.publish(channel, events, options);
  }

  /** Ends the client: closes with 1000 and ends all iterations. Sends no unsubscribes. Idempotent. */
  close(): void {
    this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #receive(frame: ReceiveMessage): void {
    if (frame.id !== undefined) this.#byId.get(frame.id)?.receive(frame);
  }

  #start(shared: SharedSubscription, session: Session): void {
    const id = newOperationId();
    this.#byId.delete(shared.id);
    this.#byId.set(id, shared);
    const started = shared.start(session, id);
    this.#starts.set(shared, started);
    started.catch((error: unknown) => {
      // The next connection tries again, unless the server has refused.
      if (!(error instanceof AppSyncError) || error.reason !== 'server_error') {
        if (this.state === 'closed' || this.#link.session !== session) return;
      }
      if (this.#channels.get(shared.channel) !== shared) return;
      this.#forget(shared);
      shared.end(error as AppSyncError);
    });
  }

  async #leave(shared: SharedSubscription, subscription: Subscription): Promise<void> {
    if (!shared.consumers.delete(subscription) || shared.consumers.size > 0) return;
    if (this.#channels.get(shared.channel) !== shared) return;
    this.#forget(shared);
    if (this.state !== 'open') return shared.end();
    const { session } = this.#link;
    // AWS ignores an unsubscribe that comes before it has acknowledged.
    const isSubscribed = await this.#starts.get(shared)?.then(
      () => true,
      () => false,
    );
    shared.end();
    if (!isSubscribed || this.#link.session !== session || this.state !== 'open') return;
    await session.request({ type: 'unsubscribe', id: shared.id });
  }

  #forget(shared: SharedSubscription): void {
    this.#channels.delete(shared.channel);
    this.#byId.delete(shared.id);
  }

  async #publishOverSocket(
    { channel, events, body }: { channel: string; events: readonly string[]; body: string },
    options: PublishOptions,
  ): Promise<ReceiveMessage> {
    const session = await this.#openSession();
    await this.#pace.wait();
    const isRefused = false;
    const authorization = await this.#authorize({ operation: 'publish', body, isRefused });
    const id = newOperationId();
    return session.request({ type: 'publish', id, channel, events, authorization }, options);
  }

  /** Returns the open session, or waits for one if there is place in the offline queue. */
  async #openSession(): Promise<Session> {
    if (this.state === 'open') return this.#link.session;
    const { maxOfflinePublishes = 0 } = this.#options;
    if (this.state === 'closed' || this.#offline >= maxOfflinePublishes) {
      if (this.state === 'connecting') return this.#link.whenOpen();
      throw this.err ?? closedError();
    }
    this.#offline += 1;
    try {
      return await this.#link.whenOpen();
    } finally {
      this.#offline -= 1;
    }
  }

  async #publishOverHttp(body: string, options: PublishOptions): Promise<ReceiveMessage> {
    if (!this.#config) {
      throw new AppSyncError('connection_closed', 'HTTP needs a configuration with its address');
    }
    const { fetch = globalThis.fetch, timeoutMs = 30_000 } = this.#options;
    const headers = await this.#authorize({ operation: 'http', body, isRefused: false });
    const timeout = AbortSignal.timeout(options.timeoutMs ?? timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const url = this.#config.httpUrl();
    return publishOverHttp(fetch, { url, headers, body, signal });
  }
}

function toAuthorize(source: AuthorizationSource): Authorize {
  if (typeof source === 'function') return source as Authorize;
  return 'httpUrl' in source ? (source as Config).authorize : () => source as Authorization;
}

function closedError(): AppSyncError {
  return new AppSyncError('connection_closed', 'the connection is closed');
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new AppSyncError('marshal_failed', 'the value cannot be written as JSON', { cause });
  }
}
