import { EventEmitter } from 'node:events';
import type { PreviewedRequest } from '@posthaste/callbacks';
import type { StoredRecord } from '@posthaste/eventstream';
import type { FollowerConnection } from '@posthaste/eventstream/event-log';
import type { WebSocket } from 'ws';

/*
 * Protocol of `GET /v1/listen`, in frames of JSON:
 *
 * | from | frame | meaning |
 * |---|---|---|
 * | server | `{"type":"ready","cursor"}` | requests for events from now on follow |
 * | server | `{"type":"request","cursor","event",…}` | a request, as a receiver would get it |
 * | server | `{"type":"cursor","cursor"}` | there is nothing for the client before this place |
 * | client | `{"type":"done"}` | it has done with the oldest request that it has not said this of |
 *
 * A client that comes again with the cursor of the last frame up to which it has done everything gets
 * all that follows. At most `maxOpen` requests, or a few MiB of them, are sent ahead of `done`. The close code 4001 asks the
 * client to come again at once.
 */

/** Connection to open. */
export interface ListenConnectionOptions {
  readonly socket: WebSocket;
  readonly cursor: string;
  /** Returns the request for a record; undefined if there is none. */
  readonly preview: (record: StoredRecord) => Promise<PreviewedRequest | undefined>;
}

/** Requests that are sent before the client has done with earlier ones. */
const maxOpen = 64;
/** Bytes of such requests after which no other is sent: a client may read slowly, or not at all. */
const maxOpenBytes = 8 * 1_048_576;
/** Time between two pings, in ms. A client that answers none until the next one is cut off. */
const pingMs = 15_000;
/** Time in which a client has to answer the end of the connection, in ms. */
const closeMs = 1_000;
const goingAway = 1001;
/** Close code that asks the client to connect again at once, from where it is. */
const connectAgain = 4001;

/** A client that listens, over a WebSocket. Emits `close`. */
export class ListenConnection extends EventEmitter<{ close: [] }> implements FollowerConnection {
  readonly #socket: WebSocket;
  readonly #preview: ListenConnectionOptions['preview'];
  readonly #ended = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isAlive = true;
  /** Bytes of the requests that the client has not done with, and their sum. */
  readonly #open: number[] = [];
  #openBytes = 0;
  #resume: (() => void) | undefined;
  #cursor: string;
  #sentCursor: string;

  constructor({ socket, cursor, preview }: ListenConnectionOptions) {
    super();
    this.#socket = socket;
    this.#preview = preview;
    this.#cursor = cursor;
    this.#sentCursor = cursor;
    this.#timer = setInterval(() => this.#beat(), pingMs);
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    socket.on('message', () => this.#onDone());
    socket.on('error', () => socket.terminate());
    socket.once('close', () => this.#onClose());
    this.#write({ type: 'ready', cursor });
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  async send(record: StoredRecord, cursor: string): Promise<void> {
    this.#cursor = cursor;
    const request = await this.#preview(record);
    if (!request || this.ended.aborted) return;
    const { topic, partition, offset, key } = record;
    const { body, ...rest } = request;
    this.#sentCursor = cursor;
    const bytes = this.#write({
      type: 'request',
      cursor,
      event: { topic, partition, offset: String(offset), key: key?.toString() ?? null },
      ...rest,
      body: body.toString('base64'),
    });
    this.#open.push(bytes);
    this.#openBytes += bytes;
    if (!this.#isFull()) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  moveTo(cursor: string): void {
    this.#cursor = cursor;
  }

  end(): void {
    this.#close(goingAway);
  }

  /** Ends the connection, and asks the client to connect again at once. Idempotent. */
  renew(): void {
    this.#close(connectAgain);
  }

  #close(code: number): void {
    if (this.ended.aborted) return;
    this.#socket.close(code);
    setTimeout(() => this.#socket.terminate(), closeMs).unref();
    this.#stop();
  }

  /** Returns the length of the frame. */
  #write(frame: object): number {
    const text = JSON.stringify(frame);
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
    return text.length;
  }

  #isFull(): boolean {
    return this.#open.length >= maxOpen || this.#openBytes >= maxOpenBytes;
  }

  /** Every frame of the client says the same: the sender of this protocol has only one to send. */
  #onDone(): void {
    this.#openBytes -= this.#open.shift() ?? 0;
    if (this.#isFull()) return;
    this.#resume?.();
    this.#resume = undefined;
  }

  #beat(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
    if (this.#cursor === this.#sentCursor) return;
    this.#sentCursor = this.#cursor;
    this.#write({ type: 'cursor', cursor: this.#cursor });
  }

  #onClose(): void {
    this.#stop();
    this.emit('close');
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#ended.abort();
    this.#resume?.();
  }
}
