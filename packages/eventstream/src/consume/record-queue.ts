import type { StoredRecord } from '../record.js';

/** A record in hand. */
export interface QueuedRecord {
  readonly record: StoredRecord;
  /** Of the partition's offset tracker. */
  readonly ticket: number;
}

/** Length from which the front of the list, already taken, is cut off. */
const cutAfter = 1_024;

/** What waits in one partition, in the order of the stream. */
export interface RecordQueue {
  add(task: QueuedRecord): void;
  /** The next that may be handled now; undefined: nothing may. */
  next(): QueuedRecord | undefined;
  /** The task is over: what waited for it may be handled. */
  finish(task: QueuedRecord): void;
}

/** Hands out in order, whatever is being handled. */
export class FifoQueue implements RecordQueue {
  #tasks: QueuedRecord[] = [];
  #head = 0;

  add(task: QueuedRecord): void {
    this.#tasks.push(task);
  }

  next(): QueuedRecord | undefined {
    const task = this.#tasks[this.#head];
    if (task === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= cutAfter && this.#head * 2 >= this.#tasks.length) {
      this.#tasks = this.#tasks.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }

  finish(): void {
    // Nothing waits for a task here.
  }
}

/**
 * Hands out one record of each key at a time. What finds its key busy is parked behind it, so that
 * the search for what may run never looks at a record twice.
 */
export class KeyedQueue implements RecordQueue {
  readonly #plain = new FifoQueue();
  /** Records of keys that were released, ahead of all others. */
  readonly #ready = new FifoQueue();
  /** For each busy key what is parked behind it. */
  readonly #parked = new Map<string, FifoQueue>();

  add(task: QueuedRecord): void {
    this.#plain.add(task);
  }

  next(): QueuedRecord | undefined {
    // The key of what is ready stayed busy: nothing overtakes it.
    const ready = this.#ready.next();
    if (ready) return ready;
    for (let task = this.#plain.next(); task; task = this.#plain.next()) {
      const key = keyOf(task);
      if (key === undefined) return task;
      const parked = this.#parked.get(key);
      if (!parked) {
        this.#parked.set(key, new FifoQueue());
        return task;
      }
      parked.add(task);
    }
    return undefined;
  }

  finish(task: QueuedRecord): void {
    const key = keyOf(task);
    if (key === undefined) return;
    const next = this.#parked.get(key)?.next();
    if (next) this.#ready.add(next);
    else this.#parked.delete(key);
  }
}

/** Latin-1 keeps bytes apart, and is cheaper than any other encoding. */
function keyOf({ record }: QueuedRecord): string | undefined {
  return record.key === null ? undefined : record.key.toString('latin1');
}
