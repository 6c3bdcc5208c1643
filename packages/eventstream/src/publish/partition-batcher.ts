import { PlatformError } from '@posthaste/contracts';
import { Batch } from './batch.js';
import type { PendingRecord } from './pending-record.js';
import type { PublisherContext } from './publisher-context.js';
import { isWorthRetrying, toWriteFailure } from './write-failure.js';

/** Fewer records than this are never worth a request of their own while there is time to linger. */
const crowd = 16;

/**
 * The records of one partition on their way into the stream. One batch is under way at a time and
 * stays at the front until all of it is settled: that keeps the order of a key through retries.
 */
export class PartitionBatcher {
  readonly #topic: string;
  readonly #partition: number;
  readonly #context: PublisherContext;
  /** Oldest first; the last one takes new records. The one under way is not among them. */
  readonly #waiting: Batch[] = [];
  #underWay: Batch | undefined;
  #lingering = false;
  /** Whether a try is running, and not the wait before the next one. */
  #trying = false;
  /**
   * So many records need not linger. Half of those that were acknowledged last: when publishers wait
   * for their acknowledgements, the half of them is back, and is sent while the others come.
   */
  #enough = Infinity;
  /** Tries that failed since the last one that did not. */
  #failures = 0;

  constructor(topic: string, partition: number, context: PublisherContext) {
    this.#topic = topic;
    this.#partition = partition;
    this.#context = context;
  }

  add(record: PendingRecord): void {
    const last = this.#waiting.at(-1);
    if (last === undefined || !this.#hasRoom(last, record.bytes)) {
      const batch = new Batch();
      batch.add(record);
      this.#waiting.push(batch);
    } else {
      last.add(record);
    }
    if (this.#underWay === undefined) this.#sendWhenDue();
  }

  /** The linger time is over: sends what waits, unless a batch is under way already. */
  send(): void {
    this.#lingering = false;
    if (this.#underWay === undefined) void this.#sendNext();
  }

  /** Gives up everything that is not settled. */
  abandon(reason: PlatformError): void {
    for (const record of this.#underWay?.records ?? []) record.giveUp(reason, this.#trying);
    for (const { records } of this.#waiting.splice(0)) {
      for (const record of records) record.giveUp(reason);
    }
  }

  #hasRoom({ records, bytes }: Batch, more: number): boolean {
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
    if (records.length >= this.#enough) return true;
    return bytes >= maxBatchBytes || this.#context.now() >= batch.acceptedAtMs + lingerMs;
  }

  async #sendNext(): Promise<void> {
    const batch = this.#waiting.shift();
    if (batch === undefined) return;
    this.#underWay = batch;
    while (batch.records.length > 0) {
      if (this.#failures > 0) await this.#context.backoff(this.#failures);
      batch.dropSettled();
      if (batch.records.length > 0) await this.#try(batch);
      batch.dropSettled();
    }
    this.#underWay = undefined;
    this.#sendWhenDue();
  }

  /** One try. What it settles leaves the batch. */
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
    this.#enough = Math.max(crowd, pending.length / 2);
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

  /** When the next batch is due, after that was sent: publishers that come back take their time. */
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
      this.#giveUpWhatIsOver(batch, failure);
    } else {
      for (const record of batch.records) record.fail(failure);
    }
  }

  /** The too large record fails alone: the halves are tried in order until it stands by itself. */
  #halve(batch: Batch, failure: PlatformError): void {
    if (batch.records.length > 1) {
      this.#waiting.unshift(batch.split());
      return;
    }
    const details = { topic: this.#topic, bytes: batch.bytes };
    const options = { cause: failure, details };
    batch.records[0]?.fail(new PlatformError('EVENT_TOO_LARGE', 'message to large', options));
  }

  #giveUpWhatIsOver(batch: Batch, failure: PlatformError): void {
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
    this.#dropEmpty();
  }

  #dropEmpty(): void {
    const full = this.#waiting.filter(({ records }) => records.length > 0);
    this.#waiting.splice(0, this.#waiting.length, ...full);
  }
}

function longestTimeout(records: readonly PendingRecord[]): number {
  return records.reduce((longest, { options }) => Math.max(longest, options.timeoutMs), 0);
}
