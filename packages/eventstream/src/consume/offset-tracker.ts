/**
 * The offsets of one partition during one assignment. Records finish in any order, but only the
 * unbroken run of finished records at the front may be committed:
 *
 *   finished  finished │ running  finished  running  waiting …
 *                      └ position: offset of the next record to read after a restart
 *
 * Invariants: the position never moves back; no record below it is unfinished. Offsets may have
 * gaps (compacted topics, transaction markers), so records are known by tickets: 0, 1, 2, …
 */

/** Number of finished offsets that are kept before the front of the lists is cut off. */
const cutAfter = 1_024;

/** Tracks the finished records of one partition, and the position up to which all are finished. */
export class OffsetTracker {
  #offsets: bigint[] = [];
  #finished: boolean[] = [];
  /** Ticket of the first entry in the lists. */
  #base = 0;
  /** Index of the first entry that is not finished. */
  #front = 0;
  #last: bigint | undefined;

  /** Adds the next record and returns its ticket. */
  add(offset: bigint): number {
    this.#offsets.push(offset);
    this.#finished.push(false);
    return this.#base + this.#offsets.length - 1;
  }

  /** Marks the record with this ticket as finished. Idempotent. */
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

  /**
   * Says that there are no more records before this offset. The position comes there when all that
   * were added are finished. Returns true if it has moved at once.
   */
  advance(offset: bigint): boolean {
    const end = this.#offsets.length;
    const last = this.#front < end ? this.#offsets[end - 1] : this.#last;
    if (last !== undefined && last >= offset - 1n) return false;
    if (this.#front < end) {
      // The last record ends the gap too: when it is finished, so is everything before the offset.
      this.#offsets[end - 1] = offset - 1n;
      return false;
    }
    this.#last = offset - 1n;
    return true;
  }

  /** Offset to commit: that of the next record to read. Undefined: no record is finished yet. */
  get position(): bigint | undefined {
    return this.#last === undefined ? undefined : this.#last + 1n;
  }

  /** Number of records from the first unfinished one on, including finished ones behind it. */
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
