/**
 * States of a partition processor, which exists for one assignment of one partition:
 *
 *   open      accepts records and handles them, up to `concurrency` at a time
 *   draining  begins no record, finishes those that are being handled
 *   closed    abandons what still runs; nothing that it does counts any more
 *
 * It moves only downwards in this list and is never opened again: the next assignment gets another
 * processor, so late results of an old assignment cannot be committed. A paused processor is open,
 * but begins no record.
 *
 * A record that is finished moves the tracker's position (offset-tracker.ts); the committer stores
 * it (committer.ts). A record that was left unfinished, because the processor stopped first, stays
 * uncommitted and is delivered again to the next owner.
 */

import type { StoredRecord } from '../record.js';
import type { TimeSlice } from '../time-slice.js';
import type { HandlerCall } from './handler-call.js';
import { OffsetTracker } from './offset-tracker.js';
import { FifoQueue, KeyedQueue, type QueuedRecord, type RecordQueue } from './record-queue.js';

/** Reason for which a partition is paused: a record cannot be written to another topic. */
export interface Block {
  /** The dead letter or retry topic. */
  readonly topic: string;
  /** Failure of the last try. */
  error: unknown;
}

/** The part of a processor that the handling of a record uses. */
export interface ProcessorControl {
  /** Calls in progress, which are abandoned together. */
  readonly calls: Set<HandlerCall>;
  /** True if no record is begun any more. */
  readonly stopped: boolean;
  /** Waits. Resolves to false if the processor stopped: then leave the record unfinished. */
  sleep(ms: number): Promise<boolean>;
  /** Begins no record until `resume` is called for each block. */
  pause(block: Block): void;
  resume(block: Block): void;
}

/**
 * Handles one record to its end. Returns false if the record was left unfinished because the
 * processor stopped.
 */
export type RecordHandler = (
  record: StoredRecord,
  processor: ProcessorControl,
) => boolean | Promise<boolean>;

/** Options of a partition processor. */
export interface PartitionProcessorOptions {
  readonly concurrency: number;
  readonly ordering: 'key' | 'none';
  readonly maxInHand: number;
  readonly slice: TimeSlice;
  readonly handle: RecordHandler;
  /**
   * Called when the position may have moved. A returned promise is awaited before the next record.
   */
  readonly onFinished: (processor: PartitionProcessor) => Promise<void> | undefined;
}

/** A wait that ends early when the processor stops. */
interface Sleep {
  readonly timer: NodeJS.Timeout;
  readonly end: (completed: boolean) => void;
}

/** Handles the records of one partition during one assignment. */
export class PartitionProcessor implements ProcessorControl {
  readonly partition: number;
  readonly calls: Set<HandlerCall> = new Set();
  /** Position that is known to be committed. */
  committed: bigint | undefined;
  readonly #options: PartitionProcessorOptions;
  readonly #tracker = new OffsetTracker();
  readonly #queue: RecordQueue;
  readonly #sleeps = new Set<Sleep>();
  #state: 'open' | 'draining' | 'closed' = 'open';
  #workers = 0;
  readonly #blocks = new Set<Block>();
  #capacityWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(partition: number, options: PartitionProcessorOptions) {
    this.partition = partition;
    this.#options = options;
    const keyed = options.concurrency > 1 && options.ordering === 'key';
    this.#queue = keyed ? new KeyedQueue() : new FifoQueue();
  }

  /**
   * Accepts records. Resolves when there is capacity for more, or when the processor has stopped.
   */
  push(records: readonly StoredRecord[]): Promise<void> {
    if (this.#state !== 'open') return Promise.resolve();
    for (const record of records) {
      this.#queue.add({ record, ticket: this.#tracker.add(record.offset) });
    }
    this.#startWorkers();
    if (this.#hasCapacity()) return Promise.resolve();
    return new Promise((resolve) => this.#capacityWaiters.push(resolve));
  }

  /**
   * Moves the position to this offset once all records that were accepted are finished: there are
   * no more before it.
   */
  advance(offset: bigint): void {
    if (this.#state !== 'open' || !this.#tracker.advance(offset)) return;
    void this.#options.onFinished(this);
  }

  /** Offset to commit: that of the next record to read. Undefined: no record is finished yet. */
  get position(): bigint | undefined {
    return this.#tracker.position;
  }

  get inHand(): number {
    return this.#tracker.span;
  }

  get stopped(): boolean {
    return this.#state !== 'open';
  }

  /** Reason for which it is paused. Undefined: it is not. */
  get block(): Block | undefined {
    const [first] = this.#blocks;
    return first;
  }

  /** Begins no record and ends waits. Resolves when no record is being handled any more. */
  drain(): Promise<void> {
    if (this.#state === 'open') this.#state = 'draining';
    this.#endSleeps();
    this.#resolveCapacityWaiters();
    if (this.#workers === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Abandons the calls in progress. Their results do not count from now on. */
  close(reason: unknown): void {
    this.#state = 'closed';
    this.#endSleeps();
    for (const call of [...this.calls]) call.abandon(reason);
    this.#resolveCapacityWaiters();
    this.#resolveIdleWaiters();
  }

  sleep(ms: number): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (completed: boolean): void => {
        clearTimeout(sleep.timer);
        this.#sleeps.delete(sleep);
        resolve(completed);
      };
      const sleep: Sleep = { timer: setTimeout(end, ms, true), end };
      this.#sleeps.add(sleep);
    });
  }

  pause(block: Block): void {
    this.#blocks.add(block);
  }

  resume(block: Block): void {
    this.#blocks.delete(block);
    this.#startWorkers();
  }

  #startWorkers(): void {
    while (this.#workers < this.#options.concurrency) {
      const queued = this.#next();
      if (!queued) return;
      this.#workers += 1;
      void this.#work(queued);
    }
  }

  #next(): QueuedRecord | undefined {
    return this.#state === 'open' && this.#blocks.size === 0 ? this.#queue.next() : undefined;
  }

  /** Handles one record after the other, as long as there is one. */
  async #work(first: QueuedRecord): Promise<void> {
    for (let queued: QueuedRecord | undefined = first; queued; queued = this.#next()) {
      const answer = this.#options.handle(queued.record, this);
      const finished = typeof answer === 'boolean' ? answer : await answer;
      if (!finished || this.#state === 'closed') break;
      this.#tracker.finish(queued.ticket);
      this.#queue.finish(queued);
      const stored = this.#options.onFinished(this);
      if (stored) await stored;
      const pause = this.#options.slice.next();
      if (pause) await pause;
      if (this.#capacityWaiters.length > 0 && this.#hasCapacity()) this.#resolveCapacityWaiters();
    }
    this.#workers -= 1;
    if (this.#workers === 0) this.#resolveIdleWaiters();
  }

  #hasCapacity(): boolean {
    return this.stopped || this.#tracker.span < this.#options.maxInHand;
  }

  #endSleeps(): void {
    for (const sleep of [...this.#sleeps]) sleep.end(false);
  }

  #resolveCapacityWaiters(): void {
    const waiters = this.#capacityWaiters;
    this.#capacityWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #resolveIdleWaiters(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
