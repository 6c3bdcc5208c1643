/** Calls of `next` between two readings of the clock. */
const callsPerCheck = 32;
const sliceMs = 8;

/**
 * Time that callers may use before they yield to the event loop. A loop of handlers that never
 * wait for I/O, or a caller that publishes in a loop, would otherwise block heartbeats, timers,
 * signals and sending. All callers that do the same work share one slice.
 */
export class TimeSlice {
  #calls = 0;
  #startedAt = performance.now();
  #pause: Promise<void> | undefined;

  /** Returns a pause to wait for when the slice is used up, and undefined while time is left. */
  next(): Promise<void> | undefined {
    if (this.#pause) return this.#pause;
    this.#calls += 1;
    if (this.#calls % callsPerCheck !== 0 || performance.now() - this.#startedAt < sliceMs) {
      return undefined;
    }
    this.#pause = new Promise((resolve) => {
      setImmediate(() => {
        this.#pause = undefined;
        this.#startedAt = performance.now();
        resolve();
      });
    });
    return this.#pause;
  }
}
