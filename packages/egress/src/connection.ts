import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dial, Phase } from './dial.js';
import type { Exchange } from './exchange.js';

/** The connections to one scheme, host and port. Exists while there is one, or somebody waits for one. */
export interface Origin {
  /** Scheme, host and port. */
  readonly url: string;
  readonly connections: Set<Connection>;
  /** The one used last is last, and taken first: what is not needed grows old and closes. */
  readonly idle: Connection[];
  /** Exchanges that wait for a connection, in order. */
  readonly waiting: Exchange[];
}

export interface ConnectionOptions {
  readonly dial: Dial;
  readonly maxHeaderBytes: number;
  /** How long an idle socket is kept. */
  readonly keepAliveMs: number;
}

/**
 * One socket to one origin, carrying one exchange at a time. It is an undici Client of its own
 * rather than a Pool: only so is it known which socket an exchange runs on, whether that socket
 * has answered before, and how to stop it in the middle of a connect. The Client opens the socket
 * for its first exchange, and again when the socket was closed before the next one was written.
 */
export class Connection {
  readonly origin: Origin;
  /** Neighbours in the list of idle connections, which alone uses them. */
  olderIdle: Connection | null = null;
  newerIdle: Connection | null = null;

  readonly #client: Client;
  #exchange: Exchange | null = null;
  #dialing: Socket | null = null;
  #phase: Phase = 'idle';
  #answered = 0;

  /** @param onIdleClose called when the socket is gone while no exchange runs on it */
  constructor(
    origin: Origin,
    { dial, maxHeaderBytes, keepAliveMs }: ConnectionOptions,
    onIdleClose: (connection: Connection) => void,
  ) {
    this.origin = origin;
    this.#client = new Client(origin.url, {
      connect: (target, callback) => {
        this.#answered = 0;
        this.#dialing = dial(target, {
          onPhase: (phase) => {
            this.#phase = phase;
          },
          onOpen: (socket) => {
            this.#dialing = null;
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
      // The one deadline of the exchange takes the place of these two.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#client.on('disconnect', () => {
      if (this.#exchange === null && !this.#client.destroyed) onIdleClose(this);
    });
  }

  /** The exchange that runs on it. */
  get exchange(): Exchange | null {
    return this.#exchange;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether the socket that is open now has brought a whole answer before. */
  get isReused(): boolean {
    return this.#answered > 0;
  }

  /** Starts an exchange. `finished` or `close` must follow before the next. */
  run(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.connection = this;
    this.#client.dispatch(exchange.options, exchange);
  }

  /** The answer has come whole. */
  finished(): void {
    this.#exchange = null;
    this.#answered += 1;
  }

  /** Closes the socket at once, whatever it is doing. Settles when it is closed; never rejects. */
  close(): Promise<void> {
    this.#exchange = null;
    this.#dialing?.destroy();
    return this.#client.destroy();
  }
}
