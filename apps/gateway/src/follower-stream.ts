import { Readable } from 'node:stream';

export interface FollowerStreamOptions {
  /** A sign of life is sent this often, in ms: proxies close what is silent. */
  readonly heartbeatMs: number;
  /** A client that takes nothing for this long, in ms, is cut off. */
  readonly stallMs: number;
  /** Where to go on from, before anything was sent. */
  readonly position: string;
}

/** What is held for a client that does not take it, in bytes; one event may go over it. */
const maxBufferedBytes = 65_536;
/** When a client is to come back after it lost the connection, in ms. */
const comeBackMs = 2_000;

/**
 * Server-sent events for one client, with its pace: `send` waits for it. Each event has a position
 * as its id, from which a client that lost the connection goes on.
 */
export class FollowerStream extends Readable {
  readonly #stallMs: number;
  readonly #timer: NodeJS.Timeout;
  #position: string;
  #sentPosition: string;
  /** Set while the client is behind. */
  #behind: { readonly since: number; readonly caughtUp: () => void } | undefined;
  readonly #over = new AbortController();

  constructor({ heartbeatMs, stallMs, position }: FollowerStreamOptions) {
    super({ highWaterMark: maxBufferedBytes });
    this.#stallMs = stallMs;
    this.#position = position;
    this.#sentPosition = position;
    const everyMs = Math.min(heartbeatMs, stallMs);
    this.#timer = setInterval(() => this.#beat(), everyMs);
    this.push(`retry: ${comeBackMs}\nid: ${position}\n\n`);
  }

  /** Aborted when it is over, whoever ended it. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Sends an event, and resolves when the client is ready for more, or gone. */
  async send(data: string, position: string): Promise<void> {
    if (this.over.aborted) return;
    this.#position = position;
    this.#sentPosition = position;
    if (this.push(`id: ${position}\ndata: ${data}\n\n`)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#behind = { since: performance.now(), caughtUp: resolve };
    await promise;
  }

  /** There was nothing for the client up to here: told with the next sign of life. */
  moveTo(position: string): void {
    this.#position = position;
  }

  /** Ends it; the client comes back, elsewhere if need be. May be called twice. */
  end(): void {
    if (!this.over.aborted) this.push(null);
    this.#stop();
  }

  override _read(): void {
    this.#behind?.caughtUp();
    this.#behind = undefined;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop();
    done(error);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#over.abort();
    this.#behind?.caughtUp();
  }

  #beat(): void {
    if (this.#behind) {
      if (performance.now() - this.#behind.since >= this.#stallMs) this.destroy();
      return;
    }
    const hasMoved = this.#position !== this.#sentPosition;
    this.#sentPosition = this.#position;
    // An id alone is no event to the client, but where it goes on from.
    this.push(hasMoved ? `id: ${this.#position}\n\n` : ':\n\n');
  }
}
