import type { Connection } from './connection.js';

/**
 * Idle connections of all origins, ordered by age. It is a linked list whose links are in the
 * connections, because it changes twice per request: a Map that changes at that rate leaves old hash
 * tables behind, which keep finished requests in memory until a full garbage collection.
 */
export class IdleConnections {
  #oldest: Connection | null = null;
  #newest: Connection | null = null;
  #size = 0;

  /** Connection that has been idle longest. */
  get oldest(): Connection | null {
    return this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  add(connection: Connection): void {
    connection.olderIdle = this.#newest;
    if (this.#newest === null) this.#oldest = connection;
    else this.#newest.newerIdle = connection;
    this.#newest = connection;
    this.#size += 1;
  }

  /** Removes a connection that is in the list. */
  remove(connection: Connection): void {
    const { olderIdle, newerIdle } = connection;
    if (olderIdle === null) this.#oldest = newerIdle;
    else olderIdle.newerIdle = newerIdle;
    if (newerIdle === null) this.#newest = olderIdle;
    else newerIdle.olderIdle = olderIdle;
    connection.olderIdle = null;
    connection.newerIdle = null;
    this.#size -= 1;
  }
}
