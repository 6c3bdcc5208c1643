import {
  Connection,
  type ConnectionOptions,
  type Origin,
  type PooledRequest,
} from './connection.js';
import type { ExchangePool } from './exchange.js';
import type { Failure } from './failure.js';
import { IdleConnections } from './idle-connections.js';

/** Options of the pool and of its connections. */
export interface ConnectionPoolOptions extends ConnectionOptions {
  readonly maxConnectionsPerOrigin: number;
  /**
   * Limit of idle connections over all origins. Above it, the connection that has been idle longest
   * is closed.
   */
  readonly maxIdleConnections: number;
}

/** Numbers of the pool at this moment. */
export interface ConnectionPoolStats {
  /** Requests without an outcome yet, waiting ones included. */
  readonly exchanges: number;
  /** Requests that wait for a connection, because their origin has reached its limit. */
  readonly waiting: number;
  readonly origins: number;
  readonly connections: number;
  readonly idleConnections: number;
}

/** The connections to all origins, with the requests that run on them or wait for one. */
export class ConnectionPool implements ExchangePool {
  readonly #options: ConnectionPoolOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #idle = new IdleConnections();
  #unsettled = 0;
  /** Sockets whose close is not complete yet. */
  readonly #closing = new Set<Promise<void>>();
  /** Set when the pool is closing; called when the last request has settled. */
  #onDrained: (() => void) | null = null;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** Runs the request on an idle connection or a new one, or queues it. */
  submit(request: PooledRequest): void {
    this.#unsettled += 1;
    const origin = this.#originOf(request);
    const connection = origin.idle.pop();
    if (connection !== undefined) {
      this.#idle.remove(connection);
      connection.run(request);
    } else if (origin.connections.size < this.#options.maxConnectionsPerOrigin) {
      this.#open(origin).run(request);
    } else {
      origin.waiting.push(request);
    }
  }

  release(connection: Connection): void {
    const { origin } = connection;
    connection.markFinished();
    const next = origin.waiting.shift();
    if (next !== undefined) {
      connection.run(next);
    } else if (this.#onDrained !== null) {
      this.#close(connection);
    } else {
      origin.idle.push(connection);
      this.#idle.add(connection);
      const { oldest, size } = this.#idle;
      if (oldest !== null && size > this.#options.maxIdleConnections) this.#closeIdle(oldest);
    }
    this.#countSettled();
  }

  discard(connection: Connection): void {
    this.#close(connection);
    this.#countSettled();
  }

  withdraw(request: PooledRequest): void {
    const origin = this.#originOf(request);
    remove(origin.waiting, request);
    this.#forgetIfEmpty(origin);
    this.#countSettled();
  }

  resend(request: PooledRequest, connection: Connection): void {
    const { origin } = connection;
    // The new connection replaces the old one, so the request does not queue behind waiting ones.
    origin.connections.delete(connection);
    this.#closeSocket(connection);
    this.#open(origin).run(request);
  }

  stats(): ConnectionPoolStats {
    const origins = [...this.#origins.values()];
    const sum = (count: (origin: Origin) => number): number =>
      origins.reduce((total, origin) => total + count(origin), 0);
    return {
      exchanges: this.#unsettled,
      waiting: sum((origin) => origin.waiting.length),
      origins: origins.length,
      connections: sum((origin) => origin.connections.size),
      idleConnections: this.#idle.size,
    };
  }

  /**
   * Closes idle connections now, and the others when their requests settle. After `limitMs` the
   * remaining requests are ended with `failure`. Resolves when every socket is closed. Must be called
   * once, after the last `submit`.
   */
  async close(limitMs: number, failure: Failure): Promise<void> {
    const drained = Promise.withResolvers<void>();
    this.#onDrained = drained.resolve;
    while (this.#idle.oldest !== null) this.#closeIdle(this.#idle.oldest);
    if (this.#unsettled === 0) drained.resolve();
    const limit = setTimeout(() => this.#endAll(failure), limitMs);
    await drained.promise;
    clearTimeout(limit);
    await Promise.all(this.#closing);
  }

  #originOf(request: PooledRequest): Origin {
    const url = request.target.origin;
    let origin = this.#origins.get(url);
    if (origin === undefined) {
      origin = { url, connections: new Set(), idle: [], waiting: [] };
      this.#origins.set(url, origin);
    }
    return origin;
  }

  #open(origin: Origin): Connection {
    const connection = new Connection(origin, this.#options, (idle) => this.#closeIdle(idle));
    origin.connections.add(connection);
    return connection;
  }

  #close(connection: Connection): void {
    const { origin } = connection;
    origin.connections.delete(connection);
    this.#closeSocket(connection);
    // In a microtask, because a request that cannot be sent gets here before `run` returns: many of
    // them in a row would recurse deeply.
    if (origin.waiting.length > 0) queueMicrotask(() => this.#runWaiting(origin));
    else this.#forgetIfEmpty(origin);
  }

  #closeIdle(connection: Connection): void {
    this.#idle.remove(connection);
    remove(connection.origin.idle, connection);
    this.#close(connection);
  }

  #closeSocket(connection: Connection): void {
    const closed = connection.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  /** Opens connections for waiting requests, up to the limit of the origin. */
  #runWaiting(origin: Origin): void {
    while (origin.connections.size < this.#options.maxConnectionsPerOrigin) {
      const next = origin.waiting.shift();
      if (next === undefined) break;
      this.#open(origin).run(next);
    }
    this.#forgetIfEmpty(origin);
  }

  #forgetIfEmpty(origin: Origin): void {
    if (origin.connections.size > 0 || origin.waiting.length > 0) return;
    // `#runWaiting` may come here late, with an origin that another of the same URL has replaced.
    if (this.#origins.get(origin.url) === origin) this.#origins.delete(origin.url);
  }

  #countSettled(): void {
    this.#unsettled -= 1;
    if (this.#unsettled === 0) this.#onDrained?.();
  }

  #endAll(failure: Failure): void {
    for (const { connections, waiting } of [...this.#origins.values()]) {
      for (const request of [...waiting]) request.end(failure);
      for (const connection of [...connections]) connection.request?.end(failure);
    }
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
