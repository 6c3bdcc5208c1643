import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { AuthClient, AuthMode } from '../auth/authorizer.js';
import {
  eventSubprotocol,
  offersEventSubprotocol,
  readConnectHeaders,
  toAuthClient,
} from '../auth/credential-object.js';
import { RateLimit } from '../protocol/rate-limit.js';
import { RealtimeError } from '../protocol/realtime-error.js';
import { Connection, type ConnectionHost } from './connection.js';
import { allowsMode, type CredentialInUse, forbidden } from './credentials.js';
import { drainConnections } from './drain.js';
import { RealmPace } from './inbound-pace.js';
import { KeepAliveWheel } from './keep-alive.js';
import type { OperationsHost } from './operations.js';
import { RealmCounts } from './realm-counts.js';
import type { SendQueue } from './send-queue.js';
import { refuseUpgrade } from './upgrade.js';

/** Time between two checks of the credentials in use. */
const credentialCheckMs = 500;
/** Fragments of one frame. Each costs as much as a frame, and a browser sends about ten. */
const maxFragments = 1_024;

/** Options of {@link Connections}. */
export interface ConnectionsOptions {
  readonly host: OperationsHost;
  readonly sendQueue: SendQueue;
  /** Default: any. */
  readonly connectionAuthModes: readonly AuthMode[] | undefined;
  /** Default: any. */
  readonly allowedOrigins: ReadonlySet<string> | undefined;
  readonly addressOf: ((request: IncomingMessage) => string) | undefined;
  readonly keepAliveMs: number;
}

/** WebSocket that knows its connection, so that its listeners need no closures. */
class EventSocket extends WebSocket {
  connection: Connection | undefined;
}

/** Open connections of a server: from the upgrade to the drain. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #host: ConnectionHost;
  readonly #open = new Set<Connection>();
  readonly #wheel: KeepAliveWheel;
  readonly #webSockets: WebSocketServer;
  readonly #connectRate: RateLimit;
  readonly #credentialTimer: NodeJS.Timeout;
  #isDraining = false;
  /** Connections that were closed because they read too slowly. */
  slowConsumers = 0;

  constructor(options: ConnectionsOptions) {
    const { limits } = options.host;
    this.#options = options;
    this.#host = {
      ...options.host,
      sendQueue: options.sendQueue,
      realmPace: new RealmPace(limits),
      connectionCounts: new RealmCounts(limits.connectionsPerRealm, 'connections'),
      onClosed: (connection) => this.#remove(connection),
      onSlow: () => {
        this.slowConsumers += 1;
      },
    };
    this.#wheel = new KeepAliveWheel(options.keepAliveMs);
    this.#connectRate = new RateLimit(limits.connectsPerSecond, Date.now());
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxFrameBytes,
      maxFragments,
      WebSocket: EventSocket,
    });
    this.#credentialTimer = setInterval(() => this.#checkCredentials(), credentialCheckMs).unref();
  }

  /** Open connections at present. */
  get size(): number {
    return this.#open.size;
  }

  /** Makes a connection of an upgrade request, whatever its path. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#statusOfRefusal(request);
    if (refusal !== undefined) {
      refuseUpgrade(socket, refusal);
      return;
    }
    const client = toAuthClient(request, this.#options.addressOf);
    const authorizing = this.#authorize(request, client);
    // Is handled when the WebSocket is open, which may be never.
    authorizing.catch(ignore);
    // Only this one is left for `ws` to select: an entry `header-…` is a credential, and may have
    // characters that a strict parser refuses.
    if (offersEventSubprotocol(request)) {
      request.headers['sec-websocket-protocol'] = eventSubprotocol;
    } else delete request.headers['sec-websocket-protocol'];
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = this.#add(webSocket as EventSocket, socket);
      connection.client = client;
      authorizing.then(
        (credential) => connection.begin(credential),
        (error: Error) => connection.begin(error),
      );
    });
  }

  /** Refuses new connections, closes all evenly over `drainMs`, and resolves when they are gone. */
  async drain(drainMs: number): Promise<void> {
    this.#isDraining = true;
    await drainConnections(this.#open, drainMs);
    this.#wheel.close();
    clearInterval(this.#credentialTimer);
  }

  #statusOfRefusal({ headers: { origin } }: IncomingMessage): number | undefined {
    if (this.#isDraining) return 503;
    const { allowedOrigins } = this.#options;
    if (origin !== undefined && allowedOrigins?.has(origin) === false) return 403;
    return this.#connectRate.use(1, Date.now()) ? undefined : 429;
  }

  async #authorize(request: IncomingMessage, client: AuthClient): Promise<CredentialInUse> {
    if (!offersEventSubprotocol(request)) {
      const message = `The subprotocol ${eventSubprotocol} is missing.`;
      throw new RealtimeError('SubProtocolNotSupportedError', 400, message);
    }
    const headers = readConnectHeaders(request);
    const connect = { operation: 'connect', headers, body: '{}', client } as const;
    const credential = await this.#host.credentials.authorize(connect);
    const { identity } = credential;
    if (!allowsMode(this.#options.connectionAuthModes, identity.mode)) throw forbidden();
    this.#host.admit?.({ identity, operation: 'connect', events: 0 });
    return credential;
  }

  #add(webSocket: EventSocket, socket: Duplex): Connection {
    const connection = new Connection(this.#host, webSocket, socket);
    webSocket.connection = connection;
    webSocket.on('message', onMessage);
    webSocket.on('ping', onControl);
    webSocket.on('pong', onControl);
    webSocket.on('close', onClose);
    webSocket.on('error', ignore);
    this.#open.add(connection);
    this.#wheel.add(connection);
    return connection;
  }

  #remove(connection: Connection): void {
    this.#open.delete(connection);
    this.#wheel.delete(connection);
  }

  #checkCredentials(): void {
    const now = Date.now();
    if (!this.#host.credentials.checkAll(now)) return;
    for (const connection of this.#open) {
      if (!connection.mayStay(now)) connection.close(1008, 'credential is no longer valid');
    }
  }
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  (this as EventSocket).connection?.onMessage(data, isBinary);
}

function onControl(this: WebSocket): void {
  (this as EventSocket).connection?.onControl();
}

function onClose(this: WebSocket): void {
  (this as EventSocket).connection?.onClose();
}

/** `ws` closes the connection by itself after an error. */
function ignore(): void {}
