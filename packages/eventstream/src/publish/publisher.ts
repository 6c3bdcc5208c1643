import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { Driver } from '../driver.js';
import type { OutgoingRecord } from '../record.js';
import { TimeSlice } from '../time-slice.js';
import { BufferSpace } from './buffer-space.js';
import { LingerTimer } from './linger.js';
import { PendingRecord, type PendingRecordOptions, recordBytes } from './pending-record.js';
import type { PublishObserver } from './publish-observer.js';
import {
  type PublisherOptions,
  type PublisherSettings,
  resolvePublisherOptions,
} from './publish-options.js';
import type { PublisherContext } from './publisher-context.js';
import { TopicBatchers } from './topic-batchers.js';

export interface PublisherDependencies {
  readonly driver: Pick<Driver, 'partitionCount' | 'append'>;
  readonly observer?: PublishObserver | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

export interface RecordOptions {
  /** Default `publishTimeoutMs` of the publisher. */
  readonly timeoutMs?: number | undefined;
  /** Takes the record back, unless a try is running: then it counts when that has failed. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Collects records into batches and writes them to the stream: a lane per partition, each with one
 * batch under way, retries until the publish timeout, and a bound on what waits in memory.
 *
 * Failures of a record: `EVENT_TOO_LARGE` (it alone), `EVENT_NOT_PUBLISHED` (certainly not
 * stored), `EVENT_OUTCOME_UNKNOWN` (perhaps stored), `STREAM_UNAUTHORIZED` and whatever else the
 * stream refuses it with for good.
 */
export class Publisher {
  readonly #settings: PublisherSettings;
  readonly #context: PublisherContext;
  readonly #space: BufferSpace;
  readonly #topics = new Map<string, TopicBatchers>();
  readonly #slice = new TimeSlice();
  readonly #abandoned = new AbortController();
  readonly #onSettled: PendingRecordOptions['onSettled'];
  #closing: Promise<void> | undefined;

  constructor(dependencies: PublisherDependencies, options: PublisherOptions = {}) {
    const { driver, observer, now = Date.now, random = Math.random } = dependencies;
    const settings = resolvePublisherOptions(options);
    this.#settings = settings;
    this.#space = new BufferSpace(settings.maxBufferBytes);
    this.#onSettled = ({ options }, error) => {
      this.#space.release(options.bytes);
      if (error !== undefined) observer?.eventFailed?.(options.topic, error.code);
    };
    const { initialBackoffMs: initialMs, maxBackoffMs: maxMs } = settings;
    this.#context = {
      driver,
      settings,
      observer,
      now,
      linger: new LingerTimer(settings.lingerMs),
      backoff: (failed) => this.#sleep(backoffMs(failed, { initialMs, maxMs }, random())),
    };
  }

  /** Bytes accepted and not settled. */
  get bufferedBytes(): number {
    return this.#space.usedBytes;
  }

  /** Records accepted and not settled. */
  get bufferedRecords(): number {
    return this.#space.records;
  }

  /**
   * Resolves when the stream has acknowledged the record.
   * @throws PlatformError see the class; `STREAM_CLOSED`
   */
  send(topic: string, record: OutgoingRecord, options: RecordOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#accept(topic, record, options, resolve, reject)?.catch(reject);
    });
  }

  /**
   * Resolves when the record is accepted, which takes time when the buffer is full; and a turn of the
   * event loop now and then, for what is accepted to be sent. What comes of it later, if it fails, is
   * told to `onFailed`.
   * @throws PlatformError `EVENT_NOT_PUBLISHED` when there was no space in time, `STREAM_CLOSED`
   */
  async enqueue(
    topic: string,
    record: OutgoingRecord,
    options: RecordOptions,
    onFailed: (error: PlatformError) => void,
  ): Promise<void> {
    const waiting = this.#accept(topic, record, options, ignore, onFailed) ?? this.#slice.next();
    if (waiting) await waiting;
  }

  /**
   * Takes no more records, and resolves when those accepted are settled. What is not after `drainMs`
   * fails: with `EVENT_OUTCOME_UNKNOWN` if it was under way, else with `EVENT_NOT_PUBLISHED`.
   */
  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  /** `undefined`: accepted. Else there is no space, and the promise tells when there was. */
  #accept(
    topic: string,
    record: OutgoingRecord,
    options: RecordOptions,
    resolve: () => void,
    reject: (error: PlatformError) => void,
  ): Promise<void> | undefined {
    if (this.#closing) throw new PlatformError('STREAM_CLOSED', 'the client was closed');
    const { timeoutMs = this.#settings.publishTimeoutMs, signal } = options;
    if (signal?.aborted) throw notAccepted(topic, signal.reason);
    const bytes = recordBytes(record);
    const pending: PendingRecordOptions = {
      topic,
      record,
      bytes,
      timeoutMs,
      acceptedAtMs: this.#context.now(),
      signal,
      onSettled: this.#onSettled,
      resolve,
      reject,
    };
    if (this.#space.tryAcquire(bytes)) return this.#add(pending);
    const onAcquired = (): undefined => this.#add(pending);
    return this.#space.acquire({ bytes, timeoutMs, signal, onAcquired }).catch((error: unknown) => {
      throw notAccepted(topic, error);
    });
  }

  #add(options: PendingRecordOptions): undefined {
    this.#lanesOf(options.topic).add(new PendingRecord(options));
  }

  #lanesOf(topic: string): TopicBatchers {
    const existing = this.#topics.get(topic);
    if (existing !== undefined) return existing;
    const lanes = new TopicBatchers(topic, this.#context);
    this.#topics.set(topic, lanes);
    return lanes;
  }

  async #drain(drainMs: number): Promise<void> {
    this.#context.linger.flush();
    const timer = setTimeout(() => this.#abandon(drainMs), drainMs);
    await this.#space.whenIdle();
    clearTimeout(timer);
    this.#abandoned.abort();
  }

  #abandon(drainMs: number): void {
    const reason = new PlatformError('STREAM_CLOSED', `closed, and not drained in ${drainMs} ms`);
    this.#abandoned.abort(reason);
    this.#space.refuseWaiters(reason);
    for (const lanes of this.#topics.values()) lanes.abandon(reason);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#abandoned.signal.aborted) return resolve();
      const wake = (): void => {
        clearTimeout(timer);
        this.#abandoned.signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#abandoned.signal.addEventListener('abort', wake);
    });
  }
}

function ignore(): void {}

function notAccepted(topic: string, cause: unknown): PlatformError {
  const options = { cause, details: { topic } };
  return new PlatformError('EVENT_NOT_PUBLISHED', `not accepted for ${topic}`, options);
}
