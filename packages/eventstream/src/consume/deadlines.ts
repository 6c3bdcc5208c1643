/** A call that can exceed its time. */
export interface ExpiringCall {
  expire(timeoutMs: number): void;
}

/**
 * Deadlines of a subscriber's calls. All calls have the same time limit, so they are due in the
 * order in which they began, and one timer serves them all.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  /** Deadlines (monotonic, in ms) of running calls, in the order in which the calls began. */
  readonly #running = new Map<ExpiringCall, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(call: ExpiringCall): void {
    this.#running.set(call, performance.now() + this.#timeoutMs);
    this.#timer ??= this.#startTimer(this.#timeoutMs);
  }

  delete(call: ExpiringCall): void {
    this.#running.delete(call);
  }

  #startTimer(ms: number): NodeJS.Timeout {
    // Unreferenced: it must not keep the process alive.
    return setTimeout(() => this.#expireDue(), ms).unref();
  }

  /**
   * Ends the calls that are due. There may be none: the timer was set for a call that ended since.
   */
  #expireDue(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [call, dueMs] of this.#running) {
      if (dueMs > now) {
        this.#timer = this.#startTimer(dueMs - now);
        return;
      }
      call.expire(this.#timeoutMs);
    }
  }
}
