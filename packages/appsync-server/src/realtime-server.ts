import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@posthaste/contracts';
import { WebSocket, WebSocketServer } from 'ws';
import type { AuthMode, Authorizer } from './auth/authorizer.js';
import { Connection, type ConnectionHost } from './connection/connection.js';
import { allowsMode, Credentials, forbidden } from './connection/credentials.js';
import { drainConnections } from './connection/drain.js';
import { KeepAliveWheel } from './connection/keep-alive.js';
import { SendQueue } from './connection/send-queue.js';
import {
  connectHeaders,
  offeredProtocols,
  pathOf,
  refuseUpgrade,
  subprotocol,
} from './connection/upgrade.js';
import { handlePublish, type PublishHost } from './http/publish.js';
import type { Broker, ChannelBatch } from './hub/broker.js';
import { type ChannelCount, Hub } from './hub/hub.js';
import { MemoryBroker } from './hub/memory-broker.js';
import { Publisher } from './hub/publisher.js';
import type { Namespace, NamespaceDirectory } from './namespaces/namespace.js';
import type { ChannelPath } from './protocol/channel-path.js';
import { type Limits, resolveLimits } from './protocol/limits.js';
import { RateLimit } from './protocol/rate-limit.js';
import { type ErrorEntry, RealtimeError } from './protocol/realtime-error.js';

const credentialCheckMs = 500;

/** Options of `createRealtimeServer`. */
export interface RealtimeServerOptions {
  /** Checks of credentials. The first one that accepts the headers decides. */
  readonly authorizers: readonly Authorizer[];
  /** Namespaces of all realms, or a directory that finds them. */
  readonly namespaces: readonly Namespace[] | NamespaceDirectory;
  /** Modes that may connect. Default: those of all authorizers. */
  readonly connectionAuthModes?: readonly AuthMode[] | undefined;
  /** Modes that may publish where the namespace says nothing. Default: those of all authorizers. */
  readonly defaultPublishAuthModes?: readonly AuthMode[] | undefined;
  /** Modes that may subscribe where the namespace says nothing. Default: those of all authorizers. */
  readonly defaultSubscribeAuthModes?: readonly AuthMode[] | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** Default: one in memory, for one node. A broker that is given is started and not closed. */
  readonly broker?: Broker | undefined;
  /** Path of `POST`; WebSocket has `/realtime` behind it. Default `/event`. */
  readonly path?: string | undefined;
  /** Values of `Origin` that may connect and publish. Requests without one always may. Default: any. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Time between two `ka` of a connection, and between two pings, in ms. Default 60,000. */
  readonly keepAliveMs?: number | undefined;
  /** Reports faults of the server, such as a broker that cannot store. Default: nobody. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Numbers of a server since its start, or at present. */
export interface RealtimeCounts {
  /** Open connections at present. */
  readonly connections: number;
  /** Subscriptions at present. */
  readonly subscriptions: number;
  /** Data frames that were queued for subscribers. */
  readonly messages: number;
  /** Connections that were closed because they read too slowly. */
  readonly slowConsumers: number;
  /** Bytes that were written to WebSockets. */
  readonly bytesOut: number;
}

/** Creates a server, which listens nowhere by itself. @throws PlatformError `OPTION_INVALID` */
export function createRealtimeServer(options: RealtimeServerOptions): RealtimeServer {
  return new RealtimeServer(options);
}

/** WebSocket that knows its connection, so that listeners are no closures. */
class EventSocket extends WebSocket {
  connection: Connection | undefined;
}

/** Server of the protocol, for an HTTP server that its user has. */
export class RealtimeServer implements ConnectionHost, PublishHost {
  /** Resolves when the broker has begun. @throws of the broker's `start` */
  readonly ready: Promise<void>;
  readonly hub: Hub = new Hub();
  readonly limits: Limits;
  readonly sendQueue: SendQueue;
  readonly credentials: Credentials;
  readonly publisher: Publisher;
  readonly namespaces: NamespaceDirectory;
  readonly defaultSubscribeAuthModes: readonly AuthMode[] | undefined;
  readonly allowedOrigins: ReadonlySet<string> | undefined;
  readonly #options: RealtimeServerOptions;
  readonly #path: string;
  readonly #broker: Broker;
  readonly #connections = new Set<Connection>();
  readonly #wheel: KeepAliveWheel;
  readonly #webSockets: WebSocketServer;
  readonly #connectRate: RateLimit;
  readonly #credentialTimer: NodeJS.Timeout;
  #slowConsumers = 0;
  #closing: Promise<void> | undefined;

  constructor(options: RealtimeServerOptions) {
    this.#options = options;
    this.#path = options.path ?? '/event';
    this.limits = resolveLimits(options.limits);
    this.sendQueue = new SendQueue(this.limits.maxWaitingBytes);
    this.credentials = new Credentials(options.authorizers);
    this.namespaces = toDirectory(options.namespaces);
    this.defaultSubscribeAuthModes = options.defaultSubscribeAuthModes;
    this.allowedOrigins = options.allowedOrigins && new Set(options.allowedOrigins);
    this.#broker = options.broker ?? new MemoryBroker();
    this.publisher = new Publisher({
      hub: this.hub,
      broker: this.#broker,
      namespaces: this.namespaces,
      limits: this.limits,
      defaultPublishAuthModes: options.defaultPublishAuthModes,
    });
    this.#wheel = new KeepAliveWheel(options.keepAliveMs ?? 60_000);
    this.#connectRate = new RateLimit(this.limits.connectsPerSecond, Date.now());
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: this.limits.maxFrameBytes,
      WebSocket: EventSocket,
    });
    this.#credentialTimer = setInterval(() => this.#checkCredentials(), credentialCheckMs).unref();
    this.ready = this.#broker.start((batch) => this.publisher.deliverHere(batch));
    this.ready.catch(() => {});
  }

  /**
   * Answers requests and upgrades of its two paths on the server. Others go to the listeners that
   * the server has now; without one they are answered with 404.
   */
  attach(server: Server): void {
    const others = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (pathOf(request) === this.#path) void this.handlePublish(request, response);
      else if (others.length === 0) response.writeHead(404).end();
      else for (const listener of others) listener.call(server, request, response);
    });
    server.on('upgrade', (request, socket, head) => {
      if (pathOf(request) === `${this.#path}/realtime`) this.handleUpgrade(request, socket, head);
      else if (server.listenerCount('upgrade') === 1) refuseUpgrade(socket, 404);
    });
  }

  /** Makes a WebSocket of an upgrade request, whatever its path. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#statusOfRefusal(request);
    if (refusal !== undefined) {
      refuseUpgrade(socket, refusal);
      return;
    }
    const headers = connectHeaders(request);
    const isOffered = offeredProtocols(request).includes(subprotocol);
    // Only this one is left for `ws` to select: an entry `header-…` is a credential, and may have
    // characters that a strict parser refuses.
    if (isOffered) request.headers['sec-websocket-protocol'] = subprotocol;
    else delete request.headers['sec-websocket-protocol'];
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket as EventSocket, socket, isOffered ? headers : undefined);
    });
  }

  /** Answers `POST` and `OPTIONS` of `/event`, whatever the path of the request. Never rejects. */
  handlePublish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return handlePublish(this, request, response);
  }

  /** Publishes without a credential and without handlers, as the namespace says: durable or not. */
  async publish(batch: ChannelBatch): Promise<void> {
    const namespace = this.namespaces.find(batch.realm, batch.channel.segments[0]);
    if (namespace?.durable ?? true) await this.publisher.append(batch);
    else this.publisher.deliver(batch);
  }

  /** Delivers to the subscribers of this node only. */
  deliver(batch: ChannelBatch): void {
    this.publisher.deliverHere(batch);
  }

  /** True if a subscription of this node gets what is published to the channel. */
  hasSubscribers(realm: string, channel: ChannelPath): boolean {
    return this.hub.hasSubscribers(realm, channel);
  }

  /** Lists the paths of a realm that are subscribed to on this node. */
  channels(realm: string): ChannelCount[] {
    return this.hub.channels(realm);
  }

  counts(): RealtimeCounts {
    return {
      connections: this.#connections.size,
      subscriptions: this.hub.subscriptions,
      messages: this.hub.messages,
      slowConsumers: this.#slowConsumers,
      bytesOut: this.sendQueue.bytesOut,
    };
  }

  /**
   * Refuses new connections, closes those there are with 1001, evenly over `drainMs` (default
   * 30,000), and resolves when all are gone. Publishes are answered meanwhile.
   */
  close({ drainMs = 30_000 }: { drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    await drainConnections(this.#connections, drainMs);
    this.#wheel.close();
    clearInterval(this.#credentialTimer);
    if (!this.#options.broker) await this.#broker.close();
  }

  #statusOfRefusal({ headers: { origin } }: IncomingMessage): number | undefined {
    if (this.#closing) return 503;
    if (origin !== undefined && this.allowedOrigins?.has(origin) === false) return 403;
    return this.#connectRate.use(1, Date.now()) ? undefined : 429;
  }

  #open(webSocket: EventSocket, socket: Duplex, headers: Record<string, string> | undefined): void {
    const connection = new Connection(this, webSocket, socket);
    webSocket.connection = connection;
    webSocket.on('message', onMessage);
    webSocket.on('pong', onPong);
    webSocket.on('close', onClose);
    webSocket.on('error', ignore);
    this.#connections.add(connection);
    this.#wheel.add(connection);
    this.#authorizeConnect(headers).then(
      (credential) => connection.begin(credential),
      (error: Error) => connection.begin(error),
    );
  }

  async #authorizeConnect(headers: Record<string, string> | undefined) {
    if (headers === undefined) {
      const message = `The subprotocol ${subprotocol} is missing.`;
      throw new RealtimeError('SubProtocolNotSupportedError', 400, message);
    }
    const credential = await this.credentials.authorize({
      operation: 'connect',
      headers,
      body: '{}',
    });
    if (allowsMode(this.#options.connectionAuthModes, credential.identity.mode)) return credential;
    throw forbidden();
  }

  #checkCredentials(): void {
    const now = Date.now();
    if (!this.credentials.checkAll(now)) return;
    for (const connection of this.#connections) {
      if (!connection.mayStay(now)) connection.close(1008, 'credential is no longer valid');
    }
  }

  toEntry(error: unknown): ErrorEntry {
    if (error instanceof RealtimeError) return error.toEntry();
    this.#options.onError?.(error);
    const status = error instanceof PlatformError ? error.httpStatus : 500;
    return {
      errorType: 'InternalFailureException',
      errorCode: Math.max(500, status),
      message: 'The server could not do this. Try again.',
    };
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#wheel.delete(connection);
  }

  onSlow(): void {
    this.#slowConsumers += 1;
  }
}

function toDirectory(namespaces: readonly Namespace[] | NamespaceDirectory): NamespaceDirectory {
  if ('find' in namespaces && !Array.isArray(namespaces)) return namespaces as NamespaceDirectory;
  const byName = new Map((namespaces as readonly Namespace[]).map((each) => [each.name, each]));
  return { find: (_realm, name) => byName.get(name) };
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  (this as EventSocket).connection?.onMessage(data, isBinary);
}

function onPong(this: WebSocket): void {
  (this as EventSocket).connection?.onPong();
}

function onClose(this: WebSocket): void {
  (this as EventSocket).connection?.onClose();
}

/** `ws` closes the connection by itself after an error. */
function ignore(): void {}
