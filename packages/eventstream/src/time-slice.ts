/** Turns between two looks at the clock. */
const turnsPerLook = 32;
const sliceMs = 8;

/**
 * Lets the event loop breathe. Callbacks that never wait for I/O would hold it for as long as there
 * are records, and so would who publishes in a loop: no heartbeat, no timer, no signal, nothing sent.
 * All that work on the same share one slice.
 */
export class TimeSlice {
  #turns = 0;
  #startedAt = performance.now();
  #pause: Promise<void> | undefined;

  /** A pause to wait for when the slice is used up; undefined while there is time left. */
  next(): Promise<void> | undefined {
    if (this.#pause) return this.#pause;
    this.#turns += 1;
    if (this.#turns % turnsPerLook !== 0 || performance.now() - this.#startedAt < sliceMs) {
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
