import type { Connection } from './connection.js';

/**
 * Idle connections of all origins, by age. A list through the connections themselves, because
 * this changes twice per request: a Map that is added to and deleted from at that rate leaves old
 * tables behind that keep dead requests alive until a full collection.
 */
export class IdleConnections {
  #oldest: Connection | null = null;
  #newest: Connection | null = null;
  #size = 0;

  /** The one that has been idle longest. */
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
