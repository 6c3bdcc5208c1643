import { Connection, type ConnectionOptions, type Origin } from './connection.js';
import type { Exchange, ExchangePool } from './exchange.js';
import type { Failure } from './failure.js';
import { IdleConnections } from './idle-connections.js';

export interface ConnectionPoolOptions extends ConnectionOptions {
  readonly maxConnectionsPerOrigin: number;
  /** Over all origins. Beyond it the connection that has been idle longest is closed. */
  readonly maxIdleConnections: number;
}

/** How much there is of everything, at this moment. */
export interface ConnectionPoolStats {
  /** Requests that have no outcome yet, waiting ones included. */
  readonly exchanges: number;
  /** Requests that wait for a connection, because their origin has as many as it may. */
  readonly waiting: number;
  readonly origins: number;
  readonly connections: number;
  readonly idleConnections: number;
}

/** The connections to all origins, and the exchanges that run on them or wait for one. */
export class ConnectionPool implements ExchangePool {
  readonly #options: ConnectionPoolOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #idle = new IdleConnections();
  #exchangeCount = 0;
  /** Sockets that are not quite closed yet. */
  readonly #closing = new Set<Promise<void>>();
  /** Once the pool is closing: called when the last exchange has settled. */
  #onDrained: (() => void) | null = null;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** Runs the exchange on an idle connection or a new one, or lets it wait its turn. */
  submit(exchange: Exchange): void {
    this.#exchangeCount += 1;
    const origin = this.#originOf(exchange);
    const connection = origin.idle.pop();
    if (connection !== undefined) {
      this.#idle.remove(connection);
      connection.run(exchange);
    } else if (origin.connections.size < this.#options.maxConnectionsPerOrigin) {
      this.#open(origin).run(exchange);
    } else {
      origin.waiting.push(exchange);
    }
  }

  release(connection: Connection): void {
    const { origin } = connection;
    connection.finished();
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
    this.#settled();
  }

  discard(connection: Connection): void {
    this.#close(connection);
    this.#settled();
  }

  withdraw(exchange: Exchange): void {
    const origin = this.#originOf(exchange);
    remove(origin.waiting, exchange);
    this.#dropIfEmpty(origin);
    this.#settled();
  }

  resend(exchange: Exchange, connection: Connection): void {
    const { origin } = connection;
    // The new connection takes the place of the old one, ahead of those that wait.
    origin.connections.delete(connection);
    this.#closeSocket(connection);
    this.#open(origin).run(exchange);
  }

  stats(): ConnectionPoolStats {
    const origins = [...this.#origins.values()];
    const sum = (count: (origin: Origin) => number): number =>
      origins.reduce((total, origin) => total + count(origin), 0);
    return {
      exchanges: this.#exchangeCount,
      waiting: sum((origin) => origin.waiting.length),
      origins: origins.length,
      connections: sum((origin) => origin.connections.size),
      idleConnections: this.#idle.size,
    };
  }

  /**
   * Closes idle connections now and the others as their exchanges settle; those that have not
   * within `limitMs` are ended with `failure`. Settles when every socket is closed. To be called
   * once, after the last `submit`.
   */
  async close(limitMs: number, failure: Failure): Promise<void> {
    const drained = Promise.withResolvers<void>();
    this.#onDrained = drained.resolve;
    while (this.#idle.oldest !== null) this.#closeIdle(this.#idle.oldest);
    if (this.#exchangeCount === 0) drained.resolve();
    const limit = setTimeout(() => this.#endAll(failure), limitMs);
    await drained.promise;
    clearTimeout(limit);
    await Promise.all(this.#closing);
  }

  #originOf(exchange: Exchange): Origin {
    const url = exchange.target.origin;
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
    // Later, because an exchange that cannot be sent comes back here before `run` returns, and
    // many such in a row would be a deep recursion.
    if (origin.waiting.length > 0) queueMicrotask(() => this.#admit(origin));
    else this.#dropIfEmpty(origin);
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

  /** Opens connections for those that wait, as far as the limit allows. */
  #admit(origin: Origin): void {
    while (origin.connections.size < this.#options.maxConnectionsPerOrigin) {
      const next = origin.waiting.shift();
      if (next === undefined) break;
      this.#open(origin).run(next);
    }
    this.#dropIfEmpty(origin);
  }

  #dropIfEmpty(origin: Origin): void {
    if (origin.connections.size > 0 || origin.waiting.length > 0) return;
    // An older one of the same URL may come here late, by way of `#admit`.
    if (this.#origins.get(origin.url) === origin) this.#origins.delete(origin.url);
  }

  #settled(): void {
    this.#exchangeCount -= 1;
    if (this.#exchangeCount === 0) this.#onDrained?.();
  }

  #endAll(failure: Failure): void {
    for (const { connections, waiting } of [...this.#origins.values()]) {
      for (const exchange of [...waiting]) exchange.end(failure);
      for (const connection of [...connections]) connection.exchange?.end(failure);
    }
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
