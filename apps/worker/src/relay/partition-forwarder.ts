import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, type PlatformError } from '@posthaste/contracts';
import type { Driver, StoredRecord } from '@posthaste/eventstream';
import { type RelayObserver, toRelayError } from './relay-observer.js';

/** Options of `PartitionForwarder`. */
export interface PartitionForwarderOptions {
  readonly driver: Pick<Driver, 'append'>;
  /** Name of the topic in Kafka. */
  readonly topic: string;
  readonly partition: number;
  readonly observer: RelayObserver;
}

/** Most records and most bytes of one request, unless a single record is larger. */
const maxRecords = 1_000;
const maxBytes = 512 * 1024;
const requestTimeoutMs = 10_000;
const backoff = { initialMs: 50, maxMs: 2_000 };

/** Records of one partition of the log, in their order. */
interface Batch {
  readonly records: readonly StoredRecord[];
  readonly bytes: number;
  /** Aborted when the records are no longer this worker's to publish. */
  readonly signal: AbortSignal;
  readonly settle: () => void;
}

/**
 * Forwarder of records to one partition of a topic in Kafka. It sends one request at a time and
 * repeats it until Kafka has acknowledged it, so records arrive in the order in which they were
 * appended, whatever fails. Batches that wait are sent together.
 */
export class PartitionForwarder {
  readonly #options: PartitionForwarderOptions;
  readonly #waiting: Batch[] = [];
  #running = false;
  #failures = 0;

  constructor(options: PartitionForwarderOptions) {
    this.#options = options;
  }

  /** Resolves when Kafka has acknowledged all records, or the signal is aborted. Never rejects. */
  append(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        signal.removeEventListener('abort', settle);
        resolve();
      };
      signal.addEventListener('abort', settle);
      this.#waiting.push({ records, bytes: bytesOfAll(records), signal, settle });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batches = this.#nextBatches();
      await this.#publish(batches);
      for (const { settle } of batches) settle();
    }
    this.#running = false;
  }

  /** Removes and returns as many waiting batches as fit into one request, at least one. */
  #nextBatches(): Batch[] {
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const batch of this.#waiting) {
      records += batch.records.length;
      bytes += batch.bytes;
      if (count > 0 && (records > maxRecords || bytes > maxBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /**
   * Publishes batches. If they are too large for one request, or Kafka refuses them, it splits them,
   * if need be down to a single record.
   */
  async #publish(batches: readonly Batch[]): Promise<void> {
    if (!isTooLarge(batches)) {
      const error = await this.#retryUntilAnswered(batches);
      if (error === undefined) return;
      const [record, ...others] = batches.flatMap(({ records }) => records);
      if (record && others.length === 0) return this.#options.observer.refused(record, error);
    }
    for (const part of split(batches)) await this.#publish([part]);
  }

  /** Returns `undefined` when all is published, or the error when Kafka refuses a record for good. */
  async #retryUntilAnswered(batches: readonly Batch[]): Promise<PlatformError | undefined> {
    const { driver, topic, partition, observer } = this.#options;
    for (;;) {
      const records = batches.flatMap((each) => (each.signal.aborted ? [] : each.records));
      if (records.length === 0) return undefined;
      const startedAtMs = performance.now();
      try {
        await driver.append({ topic, partition, records, timeoutMs: requestTimeoutMs });
        observer.published(topic, records.length, performance.now() - startedAtMs);
        this.#failures = 0;
        return undefined;
      } catch (cause) {
        const error = toRelayError(cause);
        if (error.code === 'EVENT_TOO_LARGE' || error.code === 'EVENT_INVALID') return error;
        observer.failed(topic, error);
        await this.#backOff(batches);
      }
    }
  }

  /** Waits before the next request. Ends at once when no batch is left to publish. */
  async #backOff(batches: readonly Batch[]): Promise<void> {
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures, backoff, Math.random());
    const wait = new AbortController();
    const endIfAllAborted = (): void => {
      if (batches.every(({ signal }) => signal.aborted)) wait.abort();
    };
    for (const { signal } of batches) signal.addEventListener('abort', endIfAllAborted);
    endIfAllAborted();
    await sleep(waitMs, undefined, { signal: wait.signal }).catch(() => undefined);
    for (const { signal } of batches) signal.removeEventListener('abort', endIfAllAborted);
  }
}

function bytesOfAll(records: readonly StoredRecord[]): number {
  return records.reduce(
    (sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0),
    0,
  );
}

/** True if one batch alone is over the limits; several batches always fit, by `#nextBatches`. */
function isTooLarge([first, ...others]: readonly Batch[]): boolean {
  if (first === undefined || others.length > 0 || first.records.length === 1) return false;
  return first.records.length > maxRecords || first.bytes > maxBytes;
}

/** Splits several batches into each of them, and a single one into halves. */
function split([first, ...others]: readonly Batch[]): readonly Batch[] {
  if (first === undefined || others.length > 0) return first ? [first, ...others] : [];
  const middle = first.records.length >> 1;
  return [first.records.slice(0, middle), first.records.slice(middle)].map((records) => ({
    ...first,
    records,
    bytes: bytesOfAll(records),
  }));
}
