import type { HandlerCall } from './handler-call.js';

/**
 * Ends calls that take too long. All have the same time, so they are due in the order in which they
 * began, and one timer serves them all.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  /** In the order in which they began, with the moment (monotonic, in ms) at which they are due. */
  readonly #running = new Map<HandlerCall, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(attempt: HandlerCall): void {
    this.#running.set(attempt, performance.now() + this.#timeoutMs);
    this.#timer ??= this.#startTimer(this.#timeoutMs);
  }

  delete(attempt: HandlerCall): void {
    this.#running.delete(attempt);
  }

  #startTimer(ms: number): NodeJS.Timeout {
    // Unreferenced: a process need not stay alive for it.
    return setTimeout(() => this.#expire(), ms).unref();
  }

  /** The timer may find nothing due: it was set for a call that has ended since. */
  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [attempt, dueMs] of this.#running) {
      if (dueMs > now) {
        this.#timer = this.#startTimer(dueMs - now);
        return;
      }
      attempt.expire(this.#timeoutMs);
    }
  }
}
