import { Readable } from 'node:stream';
import type { StoredRecord } from '@posthaste/eventstream';
import type { FollowerConnection } from '@posthaste/eventstream/event-log';

/** Options of the stream to a follower. */
export interface FollowerStreamOptions {
  /**
   * Time between two heartbeats to a client that gets no events, in ms: proxies close silent
   * connections. Default 15,000.
   */
  readonly heartbeatMs?: number | undefined;
  /** Longest time that a client may read nothing before it is disconnected, in ms. Default 30,000. */
  readonly stallMs?: number | undefined;
}

/** Stream to open. */
export interface FollowerStreamRequest extends FollowerStreamOptions {
  /** Cursor from which a client continues that received no event. */
  readonly cursor: string;
  /** Returns the text of a record, in one line. */
  readonly toText: (record: StoredRecord) => string;
}

/** Bytes held for a client that does not read them; one event may exceed it. */
const maxBufferedBytes = 65_536;
/** Time after which a client that lost the connection should connect again, in ms. */
const reconnectMs = 2_000;

/**
 * Server-sent events for one client: `send` waits until the client reads. The id of each event is
 * the cursor from which a client that lost the connection continues.
 */
export class FollowerStream extends Readable implements FollowerConnection {
  readonly #stallMs: number;
  readonly #toText: (record: StoredRecord) => string;
  readonly #timer: NodeJS.Timeout;
  readonly #ended = new AbortController();
  #cursor: string;
  #sentCursor: string;
  /** Set while the client has not read what was sent. */
  #behind: { readonly since: number; readonly resume: () => void } | undefined;

  constructor({ heartbeatMs = 15_000, stallMs = 30_000, cursor, toText }: FollowerStreamRequest) {
    super({ highWaterMark: maxBufferedBytes });
    this.#stallMs = stallMs;
    this.#toText = toText;
    this.#cursor = cursor;
    this.#sentCursor = cursor;
    this.#timer = setInterval(() => this.#beat(), Math.min(heartbeatMs, stallMs));
    this.push(`retry: ${reconnectMs}\nid: ${cursor}\n\n`);
  }

  /** Aborted when the stream has ended, by either side. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Sends an event. Resolves when the client is ready for more, or has left. */
  async send(record: StoredRecord, cursor: string): Promise<void> {
    if (this.ended.aborted) return;
    this.#cursor = cursor;
    this.#sentCursor = cursor;
    if (this.push(`id: ${cursor}\ndata: ${this.#toText(record)}\n\n`)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#behind = { since: performance.now(), resume: resolve };
    await promise;
  }

  /** Stores a new cursor without an event: the client receives it with the next heartbeat. */
  moveTo(cursor: string): void {
    this.#cursor = cursor;
  }

  /** Ends the stream. The client connects again, to this server or another one. Idempotent. */
  end(): void {
    if (!this.ended.aborted) this.push(null);
    this.#stop();
  }

  override _read(): void {
    this.#behind?.resume();
    this.#behind = undefined;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop();
    done(error);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#ended.abort();
    this.#behind?.resume();
  }

  #beat(): void {
    if (this.#behind) {
      if (performance.now() - this.#behind.since >= this.#stallMs) this.destroy();
      return;
    }
    const hasMoved = this.#cursor !== this.#sentCursor;
    this.#sentCursor = this.#cursor;
    // An id alone is no event for the client, but the client continues from it after a reconnect.
    this.push(hasMoved ? `id: ${this.#cursor}\n\n` : ':\n\n');
  }
}
