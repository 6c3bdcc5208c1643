import { Client, type Dispatcher } from 'undici';
import type { Dialing } from './address-race.js';
import type { Dial, Phase } from './dial.js';
import type { Failure } from './failure.js';
import type { Target } from './target.js';
import { UnaskedContinue } from './unasked-continue.js';
import { UnreportedBytes } from './unreported-bytes.js';

/**
 * A request as the pool and its connections see it: it runs on a connection, or waits for one.
 * `Exchange` is the implementation.
 */
export interface PooledRequest extends Dispatcher.DispatchHandler {
  readonly target: Target;
  readonly options: Dispatcher.DispatchOptions;
  /** Connection that it runs on, set by that connection; null while it waits for one. */
  connection: Connection | null;
  /** Ends the request with the response so far, or with `failure` if no response head came. */
  end(failure: Failure): void;
}

/**
 * All connections to one scheme, host and port. Exists as long as it has a connection or a waiting
 * request.
 */
export interface Origin {
  /** Scheme, host and port. */
  readonly url: string;
  readonly connections: Set<Connection>;
  /**
   * Idle connections. The one used last is at the end and is reused first, so that those that are
   * not needed grow old and close.
   */
  readonly idle: Connection[];
  /** Requests that wait for a connection, in order. */
  readonly waiting: PooledRequest[];
}

/** Options of every connection. */
export interface ConnectionOptions {
  readonly dial: Dial;
  readonly maxHeaderBytes: number;
  /** Time after which an idle socket is closed, in ms. */
  readonly keepAliveMs: number;
}

/**
 * One socket to one origin, which carries one request at a time. It is an undici `Client` of its
 * own and not part of an undici `Pool`. A pool hides which socket a request runs on, whether that
 * socket has carried a response before, and how to stop a connect that is under way. The `Client`
 * opens the socket for its first request, and again if the socket was closed before the next one
 * was written.
 */
export class Connection {
  readonly origin: Origin;
  /** Neighbours in the list of idle connections. Only `IdleConnections` uses them. */
  olderIdle: Connection | null = null;
  newerIdle: Connection | null = null;

  readonly #client: Client;
  readonly #unaskedContinue = new UnaskedContinue();
  readonly #unreported: UnreportedBytes;
  #request: PooledRequest | null = null;
  #dialing: Dialing | null = null;
  #phase: Phase = 'idle';
  /** Complete responses that the present socket has carried. */
  #responses = 0;

  /** @param onIdleClose called when the socket is closed while no request runs on it */
  constructor(
    origin: Origin,
    { dial, maxHeaderBytes, keepAliveMs }: ConnectionOptions,
    onIdleClose: (connection: Connection) => void,
  ) {
    this.origin = origin;
    this.#unreported = new UnreportedBytes(maxHeaderBytes);
    this.#client = new Client(origin.url, {
      connect: (target, callback) => {
        this.#responses = 0;
        this.#dialing = dial(target, {
          onPhase: (phase) => {
            this.#phase = phase;
          },
          onOpen: (socket) => {
            this.#dialing = null;
            this.#unaskedContinue.attach(socket);
            this.#unreported.attach(socket);
            callback(null, socket);
          },
          onError: (error) => {
            this.#dialing = null;
            callback(error, null);
          },
        });
      },
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs, // a server may ask for less, not for more
      // The one deadline of the request takes the place of these two.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#client.on('disconnect', () => {
      if (this.#request === null && !this.#client.destroyed) onIdleClose(this);
    });
  }

  /** Request that runs on the connection. */
  get request(): PooledRequest | null {
    return this.#request;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** True if the socket that is open now has carried a complete response before. */
  get isReused(): boolean {
    return this.#responses > 0;
  }

  /** Starts a request. `markFinished` or `close` must be called before the next one. */
  run(request: PooledRequest): void {
    this.#request = request;
    request.connection = this;
    this.#client.dispatch(request.options, request);
  }

  /** Notes that the request is about to be written. */
  markSending(): void {
    this.#unaskedContinue.expectResponse();
    this.#unreported.reset();
  }

  /** Notes that a response head or a part of a body has arrived. */
  markProgress(): void {
    this.#unreported.reset();
  }

  /** Notes that the response has arrived completely. */
  markFinished(): void {
    this.#request = null;
    this.#responses += 1;
  }

  /** Closes the socket at once, in any state. Resolves when it is closed; never rejects. */
  close(): Promise<void> {
    this.#request = null;
    this.#dialing?.destroy();
    return this.#client.destroy();
  }
}
