import { setTimeout as sleep } from 'node:timers/promises';
import type { PlatformError } from '@posthaste/contracts';
import { backoffMs } from '@posthaste/contracts';
import type { Driver, StoredRecord } from '@posthaste/eventstream';
import { toRelayError } from './relay-error.js';
import type { RelayObserver } from './relay-observer.js';

export interface PartitionForwarderOptions {
  readonly driver: Pick<Driver, 'append'>;
  /** In Kafka. */
  readonly topic: string;
  readonly partition: number;
  readonly observer: RelayObserver;
}

/** One request has so many records, and so many bytes, unless a single record is larger. */
const maxRecords = 1_000;
const maxBytes = 512 * 1024;
const tryTimeoutMs = 10_000;
const backoff = { initialMs: 50, maxMs: 2_000 };

/** Records of one partition of the log, in their order. */
interface Portion {
  readonly records: readonly StoredRecord[];
  readonly bytes: number;
  /** Aborted: somebody else publishes them. */
  readonly signal: AbortSignal;
  readonly settle: () => void;
}

/**
 * The way into one partition of a topic in Kafka. One request is under way at a time, and is tried
 * again until Kafka has acknowledged it: so records come there in the order in which they were given,
 * whatever fails. Portions that wait go together.
 */
export class PartitionForwarder {
  readonly #options: PartitionForwarderOptions;
  readonly #waiting: Portion[] = [];
  #running = false;
  #failures = 0;

  constructor(options: PartitionForwarderOptions) {
    this.#options = options;
  }

  /** Resolves when Kafka has acknowledged all of them, or the signal is aborted. Never rejects. */
  append(records: readonly StoredRecord[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
      const settle = (): void => {
        signal.removeEventListener('abort', settle);
        resolve();
      };
      signal.addEventListener('abort', settle);
      this.#waiting.push({ records, bytes, signal, settle });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const portions = this.#takePortions();
      await this.#publish(portions);
      for (const { settle } of portions) settle();
    }
    this.#running = false;
  }

  /** As many as fit one request, and one at least. */
  #takePortions(): Portion[] {
    let count = 0;
    let records = 0;
    let bytes = 0;
    for (const portion of this.#waiting) {
      records += portion.records.length;
      bytes += portion.bytes;
      if (count > 0 && (records > maxRecords || bytes > maxBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Splits what is too large for one request, or what Kafka refuses, down to a single record. */
  async #publish(portions: readonly Portion[]): Promise<void> {
    if (!isTooLarge(portions)) {
      const error = await this.#tryUntilAnswered(portions);
      if (error === undefined) return;
      const [record, ...others] = portions.flatMap(({ records }) => records);
      if (record && others.length === 0) return this.#options.observer.refused(record, error);
    }
    for (const part of split(portions)) await this.#publish([part]);
  }

  /** Gives the error when Kafka will never take one of them. */
  async #tryUntilAnswered(portions: readonly Portion[]): Promise<PlatformError | undefined> {
    const { driver, topic, partition, observer } = this.#options;
    for (;;) {
      const records = portions.flatMap((each) => (each.signal.aborted ? [] : each.records));
      if (records.length === 0) return undefined;
      const startedAtMs = performance.now();
      try {
        await driver.append({ topic, partition, records, timeoutMs: tryTimeoutMs });
        observer.published(topic, records.length, performance.now() - startedAtMs);
        this.#failures = 0;
        return undefined;
      } catch (cause) {
        const error = toRelayError(cause);
        if (error.code === 'EVENT_TOO_LARGE' || error.code === 'EVENT_INVALID') return error;
        observer.failed(topic, error);
        await this.#backOff(portions);
      }
    }
  }

  /** Ends at once when there is nothing left to publish. */
  async #backOff(portions: readonly Portion[]): Promise<void> {
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures, backoff, Math.random());
    const given = new AbortController();
    const giveUp = (): void => {
      if (portions.every(({ signal }) => signal.aborted)) given.abort();
    };
    for (const { signal } of portions) signal.addEventListener('abort', giveUp);
    giveUp();
    const rested = sleep(waitMs, undefined, { signal: given.signal });
    await rested.catch(() => undefined);
    for (const { signal } of portions) signal.removeEventListener('abort', giveUp);
  }
}

function bytesOf({ key, value }: StoredRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

/** Several are as many as fit; one may be more. */
function isTooLarge([first, ...others]: readonly Portion[]): boolean {
  if (first === undefined || others.length > 0 || first.records.length === 1) return false;
  return first.records.length > maxRecords || first.bytes > maxBytes;
}

function split([first, ...others]: readonly Portion[]): readonly Portion[] {
  if (first === undefined || others.length > 0) return first ? [first, ...others] : [];
  const middle = first.records.length >> 1;
  return [first.records.slice(0, middle), first.records.slice(middle)].map((records) => ({
    ...first,
    records,
    bytes: records.reduce((sum, record) => sum + bytesOf(record), 0),
  }));
}
