/**
 * States of one partition's batches:
 *
 *   waiting    batches with accepted records, oldest first; only the last one grows
 *   in flight  at most one batch, not among the waiting ones: it is written, and after failures
 *              waits and is written again, until all of its records are settled
 *
 * Invariant: no batch is sent before all batches ahead of it are settled. That keeps the order of a
 * key through retries.
 */

import { PlatformError } from '@posthaste/contracts';
import { Batch } from './batch.js';
import type { PendingRecord } from './pending-record.js';
import type { PublisherContext } from './publisher-context.js';

/** Fewer records than this are never sent before the linger time is over. */
const minEarlyRecords = 16;

/** Batches the records of one partition and writes them, one batch at a time, with retries. */
export class PartitionBatcher {
  readonly #topic: string;
  readonly #partition: number;
  readonly #context: PublisherContext;
  /** Oldest first. The last batch takes new records. */
  readonly #waiting: Batch[] = [];
  #inFlight: Batch | undefined;
  #lingering = false;
  /** True while a try is running, false during the wait before the next one. */
  #trying = false;
  /**
   * Number of records that are sent without lingering: half of those that were acknowledged last.
   * When publishers wait for acknowledgements, the first half of them has published again by then,
   * and is sent while the others follow.
   */
  #earlyRecords = Infinity;
  /** Failed tries since the last successful one. */
  #failures = 0;

  constructor(topic: string, partition: number, context: PublisherContext) {
    this.#topic = topic;
    this.#partition = partition;
    this.#context = context;
  }

  add(record: PendingRecord): void {
    const last = this.#waiting.at(-1);
    if (last === undefined || !this.#fits(last, record.bytes)) {
      const batch = new Batch();
      batch.add(record);
      this.#waiting.push(batch);
    } else {
      last.add(record);
    }
    if (this.#inFlight === undefined) this.#sendWhenDue();
  }

  /** Sends the next batch, unless one is in flight. Called when the linger time is over. */
  send(): void {
    this.#lingering = false;
    if (this.#inFlight === undefined) void this.#sendNext();
  }

  /** Gives up every record that is not settled. */
  abandon(reason: PlatformError): void {
    for (const record of this.#inFlight?.records ?? []) record.giveUp(reason, this.#trying);
    for (const { records } of this.#waiting.splice(0)) {
      for (const record of records) record.giveUp(reason);
    }
  }

  #fits({ records, bytes }: Batch, more: number): boolean {
    const { maxBatchRecords, maxBatchBytes } = this.#context.settings;
    return records.length < maxBatchRecords && bytes + more <= maxBatchBytes;
  }

  #sendWhenDue(): void {
    const first = this.#waiting[0];
    if (first === undefined) return;
    if (this.#isDue(first)) {
      void this.#sendNext();
    } else if (!this.#lingering) {
      this.#lingering = true;
      this.#context.linger.add(this);
    }
  }

  #isDue(batch: Batch): boolean {
    const { lingerMs, maxBatchRecords, maxBatchBytes } = this.#context.settings;
    const { records, bytes } = batch;
    if (this.#waiting.length > 1 || records.length >= maxBatchRecords) return true;
    if (records.length >= this.#earlyRecords) return true;
    return bytes >= maxBatchBytes || this.#context.now() >= batch.acceptedAtMs + lingerMs;
  }

  async #sendNext(): Promise<void> {
    const batch = this.#waiting.shift();
    if (batch === undefined) return;
    this.#inFlight = batch;
    while (batch.records.length > 0) {
      if (this.#failures > 0) await this.#context.backoff(this.#failures);
      batch.dropSettled();
      if (batch.records.length > 0) await this.#try(batch);
      batch.dropSettled();
    }
    this.#inFlight = undefined;
    this.#sendWhenDue();
  }

  /** Makes one try. Records that it settles leave the batch. */
  async #try(batch: Batch): Promise<void> {
    const { driver, settings, observer, now } = this.#context;
    const sentAtMs = now();
    const pending = batch.records;
    for (const record of pending) record.markInFlight();
    this.#trying = true;
    try {
      await driver.append({
        topic: this.#topic,
        partition: this.#partition,
        records: pending.map(({ options }) => options.record),
        timeoutMs: Math.min(settings.tryTimeoutMs, longestTimeout(pending)),
      });
    } catch (error) {
      return this.#afterFailure(batch, toWriteFailure(error));
    } finally {
      this.#trying = false;
    }
    this.#failures = 0;
    this.#earlyRecords = Math.max(minEarlyRecords, pending.length / 2);
    observer?.batchWritten?.({
      topic: this.#topic,
      partition: this.#partition,
      records: pending.length,
      bytes: batch.bytes,
      waitMs: sentAtMs - batch.acceptedAtMs,
      writeMs: now() - sentAtMs,
    });
    this.#acknowledge(batch);
  }

  /**
   * Acknowledges the records, after sending the next batch if that is due: publishers take time.
   */
  #acknowledge(batch: Batch): void {
    const records = batch.drain();
    const acknowledge = (): void => {
      for (const record of records) record.acknowledge();
    };
    const [next] = this.#waiting;
    if (next !== undefined && this.#isDue(next)) setImmediate(acknowledge);
    else acknowledge();
  }

  #afterFailure(batch: Batch, failure: PlatformError): void {
    const { code } = failure;
    const records = batch.records.length;
    const write = { topic: this.#topic, partition: this.#partition, records, code };
    this.#context.observer?.writeFailed?.(write);
    if (code === 'EVENT_TOO_LARGE') {
      this.#halve(batch, failure);
    } else if (isWorthRetrying(failure)) {
      this.#failures += 1;
      this.#giveUpExpired(batch, failure);
    } else {
      for (const record of batch.records) record.fail(failure);
    }
  }

  /** Splits the batch; the halves are tried in order until the too large record fails alone. */
  #halve(batch: Batch, failure: PlatformError): void {
    if (batch.records.length > 1) {
      this.#waiting.unshift(batch.split());
      return;
    }
    const details = { topic: this.#topic, bytes: batch.bytes };
    const options = { cause: failure, details };
    batch.records[0]?.fail(new PlatformError('EVENT_TOO_LARGE', 'message to large', options));
  }

  /** Counts the failure for all records and gives up those whose time is over. */
  #giveUpExpired(batch: Batch, failure: PlatformError): void {
    const { settings, now } = this.#context;
    const nowMs = now();
    const maybeStored = failure.code === 'EVENT_OUTCOME_UNKNOWN';
    for (const each of [batch, ...this.#waiting]) {
      for (const record of each.records) {
        record.countFailure(maybeStored && each === batch);
        if (record.isExpired(nowMs, settings.minTries)) record.giveUp(failure);
      }
      each.dropSettled();
    }
    const filled = this.#waiting.filter(({ records }) => records.length > 0);
    this.#waiting.splice(0, this.#waiting.length, ...filled);
  }
}

/**
 * Converts the error of a failed try. After an error that drivers should not throw, the records may
 * still have been written: the outcome is unknown.
 */
export function toWriteFailure(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError('EVENT_OUTCOME_UNKNOWN', 'the stream failed', { cause: error });
}

/** True if another try can succeed. A missing topic may be created in the meantime. */
export function isWorthRetrying({ code, retryable }: PlatformError): boolean {
  if (code === 'STREAM_CLOSED') return false;
  return retryable || code === 'TOPIC_NOT_FOUND';
}

function longestTimeout(records: readonly PendingRecord[]): number {
  return records.reduce((longest, { options }) => Math.max(longest, options.timeoutMs), 0);
}
