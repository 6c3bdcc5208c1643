/*
 * Requests that a client sends on one connection before the answers to those before (pipelining).
 * Node parses and starts all of them at once, thousands out of one read of 64 KiB, and keeps the
 * answers of those that are not the first in memory. Here instead
 *
 * - a request that is not the first begins only while at most `maxBegun` of its connection are
 *   unanswered, and only when the client has taken everything that was written to it;
 * - one that has not begun when its connection is gone never begins;
 * - at most `maxInHand` are in hand. The parser stops at the next one, and the connection is closed
 *   after the answers to those in hand, the last of which says `Connection: close`. A client has to
 *   send the others again (RFC 9112, section 9.3.2).
 *
 * A request that comes alone, as nearly all do, costs two comparisons and no memory.
 */

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Most requests of one connection that are worked on at a time. */
const maxBegun = 4;
/** Longest time that a connection with too many requests stays open for the answers, in ms. */
const closeAfterMs = 10_000;
/**
 * Answer of `onIncoming` that makes the parser stop after the headers. Node uses it for protocol
 * upgrades.
 */
const stopParsing = 2;

type OnIncoming = (request: IncomingMessage, keepAlive: boolean) => number;

/** Fields of Node's server that have no public counterpart. The tests notice if they go. */
interface ServerSocket extends Socket {
  /** Parser of the connection. `onIncoming` is called with each request whose headers are complete. */
  readonly parser?: { onIncoming: OnIncoming | null } | null;
  /** Answer that is written to the socket now; none while no request is in hand. */
  readonly _httpMessage?: ServerResponse | null;
}

interface PendingRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Requests of one connection behind the first. Created with the first such request. */
class Pipeline {
  readonly #socket: ServerSocket;
  readonly #listener: RequestListener;
  /** Requests that have not begun, in their order. */
  #waiting: PendingRequest[] = [];
  #begun = 0;
  #last: ServerResponse | undefined;

  constructor(socket: ServerSocket, listener: RequestListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.once('close', () => {
      this.#waiting = [];
    });
  }

  /** Requests that are not answered. */
  get inHand(): number {
    return this.#begun + this.#waiting.length;
  }

  add(pending: PendingRequest): void {
    const first = this.#socket._httpMessage;
    if (this.inHand === 0 && first) this.#watch(first);
    this.#last = pending.response;
    this.#waiting.push(pending);
    this.#beginMore();
  }

  /** Answers the requests in hand, and then closes the connection. */
  closeAfterLast(): void {
    const socket = this.#socket;
    const last = this.#last ?? socket._httpMessage;
    // Bytes that are not read would make the system reset the connection, and lose the answers.
    queueMicrotask(() => socket.removeAllListeners('data').on('data', () => undefined));
    const timer = setTimeout(() => socket.destroy(), closeAfterMs);
    socket.once('close', () => clearTimeout(timer));
    if (!last || last.writableFinished) socket.destroySoon();
    else if (last.headersSent) last.once('finish', () => socket.destroySoon());
    else last.shouldKeepAlive = false;
  }

  #watch(response: ServerResponse): void {
    this.#begun += 1;
    response.once('close', () => {
      this.#begun -= 1;
      this.#beginMore();
    });
  }

  /**
   * Begins requests in their order. What the client has not taken yet belongs to an answer that has
   * not finished, and this is called again when it has.
   */
  #beginMore(): void {
    const socket = this.#socket;
    while (this.#begun < maxBegun && socket.writableLength === 0 && !socket.destroyed) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#watch(next.response);
      this.#listener(next.request, next.response);
    }
  }
}

/** Limits the requests that are in hand of each connection. */
export class PipeliningLimit {
  readonly #maxInHand: number;
  readonly #listener: RequestListener;
  readonly #pipelines = new WeakMap<Socket, Pipeline>();

  /** @param listener begins a request */
  constructor(maxInHand: number, listener: RequestListener) {
    this.#maxInHand = maxInHand;
    this.#listener = listener;
  }

  /** Begins the request, now or later. The listener of the server's event `request`. */
  readonly onRequest: RequestListener = (request, response) => {
    // Only the first answer of a connection has the socket.
    if (response.socket !== null) this.#listener(request, response);
    else this.#pipelineOf(request.socket).add({ request, response });
  };

  /** Stops the parser of each new connection when too many requests are in hand. */
  attach(server: Server): void {
    server.on('connection', (socket: ServerSocket) => {
      const { parser } = socket;
      const onIncoming = parser?.onIncoming;
      if (!parser || !onIncoming) return;
      let isClosing = false;
      parser.onIncoming = (request, keepAlive) => {
        if (!socket._httpMessage && !isClosing) return onIncoming(request, keepAlive);
        const inHand = this.#pipelines.get(socket)?.inHand || 1;
        if (!isClosing && inHand < this.#maxInHand) return onIncoming(request, keepAlive);
        if (!isClosing) this.#pipelineOf(socket).closeAfterLast();
        isClosing = true;
        return stopParsing;
      };
    });
  }

  #pipelineOf(socket: Socket): Pipeline {
    const known = this.#pipelines.get(socket);
    if (known) return known;
    const pipeline = new Pipeline(socket, this.#listener);
    this.#pipelines.set(socket, pipeline);
    return pipeline;
  }
}
