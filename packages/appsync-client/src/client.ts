import { AppSyncError, toEnded } from './appsync-error.js';
import type { Authorize } from './authorize.js';
import { ChannelTable } from './channel-table.js';
import type { ClientOptions, ClientState, ReconnectOptions } from './client-options.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { type Connection, type DialOptions, dialWebSocket } from './dial.js';
import { Link, type Redial } from './link.js';
import { callListener } from './listener.js';
import { type Authorization, errorsOf, type ReceiveMessage } from './protocol.js';
import type { PublishOptions, PublishResult } from './publish.js';
import { Publisher } from './publisher.js';
import type { SubscribeOptions, Subscription } from './subscription.js';
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
 * Connects, and connects again when the connection is lost, also before the first acknowledgement.
 * Resolves when the server has acknowledged.
 * @throws AppSyncError those of `dialWebSocket`; `server_error` when the credential is refused;
 *   `context_ended` when the signal is aborted before
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
  const redial: Redial = (isRefused, closing) =>
    dialWebSocket(config, { ...dialOptions, isRefused, signal: closing });
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
  } catch (error) {
    throw signal?.aborted ? toEnded(signal) : error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Client of one server over one WebSocket at a time. */
export class WebSocketClient implements AsyncDisposable {
  /** Resolves when the server has acknowledged the first time. */
  readonly ready: Promise<void>;
  readonly #link: Link;
  readonly #channels: ChannelTable;
  readonly #publisher: Publisher;
  readonly #options: ClientOptions;

  /** Use `createWebSocketClient` or `connect`. */
  constructor(
    connection: Connection,
    authorization: AuthorizationSource,
    options: WebSocketClientOptions,
  ) {
    const { clock = systemClock, timeoutMs = 30_000 } = options;
    this.#options = options;
    const config = 'httpUrl' in authorization ? (authorization as Config) : undefined;
    const authorize = toAuthorize(authorization);
    this.#channels = new ChannelTable({
      ...{ authorize, clock, timeoutMs },
      openSession: () => (this.state === 'open' ? this.#link.session : undefined),
      backoffMs: (attempts) => this.#link.backoffMs(attempts),
    });
    this.#link = new Link(connection, options, {
      onFrame: (frame) => this.#receive(frame),
      onOpen: (session) => this.#channels.startAll(session),
      onClosed: (error) => this.#channels.endAll(error),
    });
    this.#publisher = new Publisher({ link: this.#link, authorize, config, options });
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
    if (this.state === 'closed') {
      throw this.err ?? new AppSyncError('connection_closed', 'the connection is closed');
    }
    return this.#channels.subscribe(channel, options);
  }

  /** Returns a channel whose events are checked by a validator of the Standard Schema. */
  channel<Event, Input = Event>(
    channel: string,
    validator: Validator<Event, Input>,
  ): TypedChannel<Event, Input> {
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
    return this.#publisher.publish(channel, events, options);
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
    this.#channels.receive(frame);
    if (frame.type === 'error') callListener(() => this.#options.onError?.(errorsOf(frame)));
  }
}

function toAuthorize(source: AuthorizationSource): Authorize {
  if (typeof source === 'function') return source as Authorize;
  return 'httpUrl' in source ? (source as Config).authorize : () => source as Authorization;
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new AppSyncError('marshal_failed', 'the value cannot be written as JSON', { cause });
  }
}
