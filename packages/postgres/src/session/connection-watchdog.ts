import type { Session } from './session.js';

const sweepMs = 250;
/** How long a server may take to close a connection that was ended, in milliseconds. */
const goodbyeMs = 1_000;

/**
 * Ends connections on which the server has fallen silent: a machine that froze or a network that
 * swallows packets answers nothing, and TCP alone notices after a quarter of an hour.
 *
 * One sweep over all connections, because a timer per statement would cost each statement.
 */
export class AnswerWatch {
  readonly #sessions = new Set<Session>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(), sweepMs);
    this.#timer.unref();
  }

  add(session: Session): void {
    this.#sessions.add(session);
    session.once('end', () => this.#sessions.delete(session));
  }

  /** To be called when the connections are being ended: those that do not end are cut. */
  close(): void {
    clearInterval(this.#timer);
    setTimeout(() => {
      for (const session of this.#sessions) session.abortWhenLimited();
    }, goodbyeMs).unref();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const session of this.#sessions) session.abortWhenOverdue(nowMs);
  }
}
