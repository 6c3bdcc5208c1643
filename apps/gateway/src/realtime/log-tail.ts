import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@posthaste/contracts';
import type { PartitionPage, StoredRecord } from '@posthaste/eventstream';
import { realtimeTopic } from './batch-record.js';
import type { TailedLog } from './fan-out/fan-out-log.js';

/** Options of a `LogTail`. */
export interface LogTailOptions {
  readonly log: TailedLog;
  /**
   * Gets the records of a page, in the order of the log. Must not reject. The next page is read when
   * it has resolved.
   */
  readonly onRecords: (records: readonly StoredRecord[]) => Promise<void>;
  /** Called with each error. The read is tried again. */
  readonly onError: (error: unknown) => void;
  /** Longest time until a record is noticed whose notification is lost, in ms. Default 1,000. */
  readonly pollMs?: number | undefined;
}

/** Page that is in memory at a time. */
const maxPageRecords = 500;
const maxPageBytes = 4 * 1_048_576;
/** Wait while appenders are at work whose records cannot be read yet, in ms. */
const growingMs = 50;
const retry = { initialMs: 100, maxMs: 2_000 };

/** Reader of the topic `realtime` from one offset on, as long as the gateway runs. */
export class LogTail {
  readonly #options: LogTailOptions;
  readonly #unwatch: () => void;
  readonly #ended = new AbortController();
  #next: bigint;
  #isWoken = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LogTailOptions, from: bigint) {
    this.#options = options;
    this.#next = from;
    this.#unwatch = options.log.watch(realtimeTopic, () => this.wake());
  }

  /** Offset of the next record. */
  get next(): bigint {
    return this.#next;
  }

  /** Reads on until the offset `end` is reached. @throws PlatformError `DATABASE_*` */
  async readTo(end: bigint): Promise<void> {
    while (this.#next < end) await this.#readPage();
  }

  /** Begins to read whatever comes. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Reads now, and not only at the next poll: a record was appended. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#unwatch();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { onError, pollMs = 1_000 } = this.#options;
    const { signal } = this.#ended;
    let failures = 0;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        const page = await this.#readPage();
        failures = 0;
        if (page.next < page.readable) continue;
        await this.#sleep(page.isGrowing ? growingMs : pollMs);
      } catch (error) {
        failures += 1;
        if (signal.aborted) return;
        onError(error);
        const ms = backoffMs(failures, retry, Math.random());
        await sleep(ms, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #readPage(): Promise<PartitionPage> {
    const page = await this.#options.log.readPartition({
      topic: realtimeTopic,
      partition: 0,
      from: this.#next,
      limit: maxPageRecords,
      maxBytes: maxPageBytes,
    });
    await this.#options.onRecords(page.records);
    if (page.next > this.#next) this.#next = page.next;
    return page;
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isWoken) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
