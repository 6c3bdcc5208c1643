import type { StoredRecord } from '../record.js';

/** A record of a partition, and its ticket of the partition's offset tracker. */
export interface QueuedRecord {
  readonly record: StoredRecord;
  readonly ticket: number;
}

/** Length from which the front of the list, which is used up, is cut off. */
const cutAfter = 1_024;

/** Records of one partition that wait to be handled, in the order of the stream. */
export interface RecordQueue {
  add(queued: QueuedRecord): void;
  /** Removes and returns the next record that may be handled now. Undefined: none may. */
  next(): QueuedRecord | undefined;
  /** Reports that a record is finished: records that waited for it may be handled. */
  finish(queued: QueuedRecord): void;
}

/** A queue that returns records in order, whatever else is being handled. */
export class FifoQueue implements RecordQueue {
  #records: QueuedRecord[] = [];
  #head = 0;

  add(queued: QueuedRecord): void {
    this.#records.push(queued);
  }

  next(): QueuedRecord | undefined {
    const queued = this.#records[this.#head];
    if (queued === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= cutAfter && this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    return queued;
  }

  finish(): void {
    // No record waits for another one here.
  }
}

/**
 * A queue that returns one record of each key at a time. Records whose key is busy are parked
 * behind it, so that the search for the next record never looks at a record twice.
 */
export class KeyedQueue implements RecordQueue {
  readonly #fifo = new FifoQueue();
  /** Parked records whose key is free again. They go ahead of all others. */
  readonly #ready = new FifoQueue();
  /** Parked records by busy key. */
  readonly #parked = new Map<string, FifoQueue>();

  add(queued: QueuedRecord): void {
    this.#fifo.add(queued);
  }

  next(): QueuedRecord | undefined {
    // The key of a ready record is still marked busy, so no other record of it overtakes.
    const ready = this.#ready.next();
    if (ready) return ready;
    for (let queued = this.#fifo.next(); queued; queued = this.#fifo.next()) {
      const key = keyOf(queued);
      if (key === undefined) return queued;
      const parked = this.#parked.get(key);
      if (!parked) {
        this.#parked.set(key, new FifoQueue());
        return queued;
      }
      parked.add(queued);
    }
    return undefined;
  }

  finish(queued: QueuedRecord): void {
    const key = keyOf(queued);
    if (key === undefined) return;
    const next = this.#parked.get(key)?.next();
    if (next) this.#ready.add(next);
    else this.#parked.delete(key);
  }
}

/** Returns the key as text. Latin-1 keeps different bytes apart and is the cheapest encoding. */
function keyOf({ record }: QueuedRecord): string | undefined {
  return record.key === null ? undefined : record.key.toString('latin1');
}
