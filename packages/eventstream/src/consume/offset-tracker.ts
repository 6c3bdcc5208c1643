/** Finished offsets kept before the front of the lists is cut off. */
const cutAfter = 1_024;

/**
 * Which records of one partition are finished, and up to where all are. Records finish in any order;
 * what may be committed is the end of the unbroken run of finished ones at the front. Offsets may
 * have gaps (compacted topics, transaction markers), and tickets stand for them: plain numbers.
 */
export class OffsetTracker {
  #offsets: bigint[] = [];
  #finished: boolean[] = [];
  /** Ticket of the first entry in the lists. */
  #base = 0;
  /** Index of the first entry that is not finished. */
  #front = 0;
  #last: bigint | undefined;

  /** Takes in the next record and gives its ticket: 0, 1, 2, … */
  add(offset: bigint): number {
    this.#offsets.push(offset);
    this.#finished.push(false);
    return this.#base + this.#offsets.length - 1;
  }

  /** The record with this ticket needs nothing more. Saying so twice changes nothing. */
  finish(ticket: number): void {
    const index = ticket - this.#base;
    if (index < this.#front || index >= this.#finished.length) return;
    this.#finished[index] = true;
    while (this.#finished[this.#front] === true) {
      this.#last = this.#offsets[this.#front];
      this.#front += 1;
    }
    if (this.#front >= cutAfter && this.#front * 2 >= this.#offsets.length) this.#cut();
  }

  /** Offset of the next record to read when only what is finished counts; undefined: nothing is. */
  get position(): bigint | undefined {
    return this.#last === undefined ? undefined : this.#last + 1n;
  }

  /** Records from the first unfinished one on, finished ones behind it included. */
  get span(): number {
    return this.#offsets.length - this.#front;
  }

  #cut(): void {
    this.#offsets = this.#offsets.slice(this.#front);
    this.#finished = this.#finished.slice(this.#front);
    this.#base += this.#front;
    this.#front = 0;
  }
}
