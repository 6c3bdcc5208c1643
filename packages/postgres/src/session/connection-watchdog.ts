import type { Session } from './session.js';

/** Time between two checks of all connections, in ms. */
const checkIntervalMs = 250;
/** Time that a server may take to close a connection, in ms. */
const closeTimeoutMs = 1_000;

/**
 * Closes connections on which the server does not respond in time. A machine that froze, or a network
 * that drops packets, sends nothing, and TCP alone notices after a quarter of an hour.
 *
 * One timer checks all connections, because a timer per statement would slow down every statement.
 */
export class ConnectionWatchdog {
  readonly #sessions = new Set<Session>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#check(), checkIntervalMs);
    this.#timer.unref();
  }

  add(session: Session): void {
    this.#sessions.add(session);
    session.once('end', () => this.#sessions.delete(session));
  }

  /** Must be called when the connections are being closed: closes those that do not end in time. */
  close(): void {
    clearInterval(this.#timer);
    setTimeout(() => {
      for (const session of this.#sessions) session.abortIfTimeLimited();
    }, closeTimeoutMs).unref();
  }

  #check(): void {
    const nowMs = performance.now();
    for (const session of this.#sessions) session.abortIfOverdue(nowMs);
  }
}
