import type { StoredRecord } from '../record.js';

/** A record in hand. */
export interface LaneTask {
  readonly record: StoredRecord;
  /** Of the partition's offset tracker. */
  readonly ticket: number;
}

/** Length from which the front of the list, already taken, is cut off. */
const cutAfter = 1_024;

/** What waits in one partition, in the order of the stream. */
export interface LaneQueue {
  add(task: LaneTask): void;
  /** The next that may be handled now; undefined: nothing may. */
  take(): LaneTask | undefined;
  /** The task is over: what waited for it may be handled. */
  release(task: LaneTask): void;
}

/** Hands out in order, whatever is being handled. */
export class PlainQueue implements LaneQueue {
  #tasks: LaneTask[] = [];
  #head = 0;

  add(task: LaneTask): void {
    this.#tasks.push(task);
  }

  take(): LaneTask | undefined {
    const task = this.#tasks[this.#head];
    if (task === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= cutAfter && this.#head * 2 >= this.#tasks.length) {
      this.#tasks = this.#tasks.slice(this.#head);
      this.#head = 0;
    }
    return task;
  }

  release(): void {
    // Nothing waits for a task here.
  }
}

/**
 * Hands out one record of each key at a time. What finds its key busy is parked behind it, so that
 * the search for what may run never looks at a record twice.
 */
export class KeyedQueue implements LaneQueue {
  readonly #plain = new PlainQueue();
  /** Records of keys that were released, ahead of all others. */
  readonly #ready = new PlainQueue();
  /** For each busy key what is parked behind it. */
  readonly #parked = new Map<string, PlainQueue>();

  add(task: LaneTask): void {
    this.#plain.add(task);
  }

  take(): LaneTask | undefined {
    // The key of what is ready stayed busy: nothing overtakes it.
    const ready = this.#ready.take();
    if (ready) return ready;
    for (let task = this.#plain.take(); task; task = this.#plain.take()) {
      const key = keyOf(task);
      if (key === undefined) return task;
      const parked = this.#parked.get(key);
      if (!parked) {
        this.#parked.set(key, new PlainQueue());
        return task;
      }
      parked.add(task);
    }
    return undefined;
  }

  release(task: LaneTask): void {
    const key = keyOf(task);
    if (key === undefined) return;
    const next = this.#parked.get(key)?.take();
    if (next) this.#ready.add(next);
    else this.#parked.delete(key);
  }
}

/** Latin-1 keeps bytes apart, and is cheaper than any other encoding. */
function keyOf({ record }: LaneTask): string | undefined {
  return record.key === null ? undefined : record.key.toString('latin1');
}
