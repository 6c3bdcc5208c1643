import type { StoredRecord } from '../record.js';
import type { TimeSlice } from '../time-slice.js';
import type { HandlerCall } from './handler-call.js';
import { OffsetTracker } from './offset-tracker.js';
import { FifoQueue, KeyedQueue, type QueuedRecord, type RecordQueue } from './record-queue.js';

/** What the handling of a record sees of its lane. */
export interface ProcessorControl {
  /** Calls in progress, to be abandoned together. */
  readonly calls: Set<HandlerCall>;
  /** Whether it begins nothing new any more. */
  readonly stopped: boolean;
  /** Waits; false when the lane was stopped meanwhile: the record must be left as it is. */
  sleep(ms: number): Promise<boolean>;
  /** Nothing new is begun until `resume`. May be nested. */
  pause(): void;
  resume(): void;
}

/** Takes one record to its end; false: it was left unfinished, because the lane was stopped. */
export type RecordHandler = (
  record: StoredRecord,
  lane: ProcessorControl,
) => boolean | Promise<boolean>;

export interface PartitionProcessorOptions {
  readonly concurrency: number;
  readonly ordering: 'key' | 'none';
  readonly maxInHand: number;
  readonly slice: TimeSlice;
  readonly handle: RecordHandler;
  /** The position moved. When it gives a promise, the record's worker waits for it. */
  readonly onFinished: (lane: PartitionProcessor) => Promise<void> | undefined;
}

interface Sleeper {
  readonly timer: NodeJS.Timeout;
  readonly wake: (finished: boolean) => void;
}

/**
 * The records of one partition during one assignment. Open: takes records and handles them, up to
 * `concurrency` at a time. Draining: begins nothing new, finishes what runs. Closed: what still
 * runs is abandoned and counts no more. A lane is never opened again: the next assignment gets
 * another one, so that late results have nowhere to go.
 */
export class PartitionProcessor implements ProcessorControl {
  readonly partition: number;
  readonly calls: Set<HandlerCall> = new Set();
  /** Position that is known to be stored. */
  committed: bigint | undefined;
  readonly #options: PartitionProcessorOptions;
  readonly #tracker = new OffsetTracker();
  readonly #queue: RecordQueue;
  readonly #sleepers = new Set<Sleeper>();
  #state: 'open' | 'draining' | 'closed' = 'open';
  #workers = 0;
  #pauses = 0;
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(partition: number, options: PartitionProcessorOptions) {
    this.partition = partition;
    this.#options = options;
    const keyed = options.concurrency > 1 && options.ordering === 'key';
    this.#queue = keyed ? new KeyedQueue() : new FifoQueue();
  }

  /** Takes records in. Resolves when there is room for more, and when the lane has stopped. */
  push(records: readonly StoredRecord[]): Promise<void> {
    if (this.#state !== 'open') return Promise.resolve();
    for (const record of records) {
      this.#queue.add({ record, ticket: this.#tracker.add(record.offset) });
    }
    this.#startWorkers();
    if (this.#hasRoom()) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Offset of the next record to read when only what is finished counts; undefined: nothing is. */
  get position(): bigint | undefined {
    return this.#tracker.position;
  }

  get inHand(): number {
    return this.#tracker.span;
  }

  get stopped(): boolean {
    return this.#state !== 'open';
  }

  get paused(): boolean {
    return this.#pauses > 0;
  }

  /** Begins nothing new, ends waits. Resolves when nothing runs any more. */
  drain(): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining';
    this.#wakeSleepers();
    this.#releaseRoom();
    if (this.#workers === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Abandons what runs. Nothing that it does counts from now on. */
  close(reason: unknown): void {
    this.#state = 'closed';
    this.#wakeSleepers();
    for (const attempt of [...this.calls]) attempt.abandon(reason);
    this.#releaseRoom();
    this.#releaseIdle();
  }

  sleep(ms: number): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const wake = (finished: boolean): void => {
        clearTimeout(sleeper.timer);
        this.#sleepers.delete(sleeper);
        resolve(finished);
      };
      const sleeper: Sleeper = { timer: setTimeout(wake, ms, true), wake };
      this.#sleepers.add(sleeper);
    });
  }

  pause(): void {
    this.#pauses += 1;
  }

  resume(): void {
    this.#pauses -= 1;
    this.#startWorkers();
  }

  #startWorkers(): void {
    while (this.#workers < this.#options.concurrency) {
      const task = this.#next();
      if (!task) return;
      this.#workers += 1;
      void this.#work(task);
    }
  }

  #next(): QueuedRecord | undefined {
    return this.#state === 'open' && this.#pauses === 0 ? this.#queue.next() : undefined;
  }

  /** Goes on with the next record as long as there is one. */
  async #work(first: QueuedRecord): Promise<void> {
    for (let task: QueuedRecord | undefined = first; task; task = this.#next()) {
      const answer = this.#options.handle(task.record, this);
      const finished = typeof answer === 'boolean' ? answer : await answer;
      if (!finished || this.#state === 'closed') break;
      this.#tracker.finish(task.ticket);
      this.#queue.finish(task);
      const stored = this.#options.onFinished(this);
      if (stored) await stored;
      const pause = this.#options.slice.next();
      if (pause) await pause;
      if (this.#roomWaiters.length > 0 && this.#hasRoom()) this.#releaseRoom();
    }
    this.#workers -= 1;
    if (this.#workers === 0) this.#releaseIdle();
  }

  #hasRoom(): boolean {
    return this.stopped || this.#tracker.span < this.#options.maxInHand;
  }

  #wakeSleepers(): void {
    for (const sleeper of [...this.#sleepers]) sleeper.wake(false);
  }

  #releaseRoom(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #releaseIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
