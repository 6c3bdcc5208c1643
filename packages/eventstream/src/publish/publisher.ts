import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { Driver } from '../driver.js';
import type { OutgoingRecord } from '../record.js';
import { TimeSlice } from '../time-slice.js';
import { BufferSpace } from './buffer-space.js';
import { PendingRecord, type PendingRecordOptions, recordBytes } from './pending-record.js';
import type { PublishObserver } from './publish-observer.js';
import {
  type PublisherOptions,
  type PublisherSettings,
  resolvePublisherOptions,
} from './publish-options.js';
import { LingerTimer, type PublisherContext } from './publisher-context.js';
import { TopicBatchers } from './topic-batchers.js';

/** Everything that a publisher needs from outside. */
export interface PublisherDependencies {
  readonly driver: Pick<Driver, 'partitionCount' | 'append'>;
  readonly observer?: PublishObserver | undefined;
  /** Clock, in ms since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Random source, in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/** Limits of one record. */
export interface RecordOptions {
  /** Default: `publishTimeoutMs` of the publisher. */
  readonly timeoutMs?: number | undefined;
  /**
   * Aborting it withdraws the record. If a try is running, that happens when the try has failed.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Limits of a record whose outcome the caller does not await. */
export interface EnqueueOptions extends RecordOptions {
  /** Called when the accepted record fails. */
  readonly onFailed: (error: PlatformError) => void;
}

/**
 * Collects records into batches and writes them to the stream: one batch in flight per partition,
 * retries until the publish timeout, and a bound on the bytes that wait in memory.
 *
 * Failures of a record: `EVENT_TOO_LARGE` (this record alone), `EVENT_NOT_PUBLISHED` (certainly not
 * stored), `EVENT_OUTCOME_UNKNOWN` (perhaps stored), `STREAM_UNAUTHORIZED`, and any other code with
 * which the stream refuses it for good.
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

  /** Bytes that were accepted and are not settled. */
  get bufferedBytes(): number {
    return this.#space.usedBytes;
  }

  /** Records that were accepted and are not settled. */
  get bufferedRecords(): number {
    return this.#space.records;
  }

  /**
   * Publishes a record. Resolves when the stream has acknowledged it.
   * @throws PlatformError see the class; `STREAM_CLOSED`
   */
  send(topic: string, record: OutgoingRecord, options: RecordOptions = {}): Promise<void> {
    const { timeoutMs = this.#settings.publishTimeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      this.#accept({
        topic,
        record,
        bytes: recordBytes(record),
        timeoutMs,
        acceptedAtMs: this.#context.now(),
        signal,
        onSettled: this.#onSettled,
        resolve,
        reject,
      })?.catch(reject);
    });
  }

  /**
   * Publishes a record without waiting for the outcome. Resolves when the record is accepted. That
   * takes time when the buffer is full, and now and then until the event loop could send what was
   * accepted before. `onFailed` is called if the record fails later.
   * @throws PlatformError `EVENT_NOT_PUBLISHED` when there was no space in time, `STREAM_CLOSED`
   */
  async enqueue(topic: string, record: OutgoingRecord, options: EnqueueOptions): Promise<void> {
    const { timeoutMs = this.#settings.publishTimeoutMs, signal, onFailed } = options;
    const accepting = this.#accept({
      topic,
      record,
      bytes: recordBytes(record),
      timeoutMs,
      acceptedAtMs: this.#context.now(),
      signal,
      onSettled: this.#onSettled,
      resolve: ignore,
      reject: onFailed,
    });
    const waiting = accepting ?? this.#slice.next();
    if (waiting) await waiting;
  }

  /**
   * Accepts no more records. Resolves when the accepted ones are settled. Records that are not
   * settled after `drainMs` fail: with `EVENT_OUTCOME_UNKNOWN` if they were in flight, else with
   * `EVENT_NOT_PUBLISHED`.
   */
  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#drain(drainMs);
    return this.#closing;
  }

  /** Returns undefined if the record is accepted, else a promise that waits for space. */
  #accept(pending: PendingRecordOptions): Promise<void> | undefined {
    if (this.#closing) throw new PlatformError('STREAM_CLOSED', 'the client was closed');
    const { topic, bytes, timeoutMs, signal } = pending;
    if (signal?.aborted) throw notAccepted(topic, signal.reason);
    if (this.#space.tryAcquire(bytes)) return this.#add(pending);
    const onAcquired = (): undefined => this.#add(pending);
    return this.#space.acquire({ bytes, timeoutMs, signal, onAcquired }).catch((error: unknown) => {
      throw notAccepted(topic, error);
    });
  }

  #add(options: PendingRecordOptions): undefined {
    this.#batchersOf(options.topic).add(new PendingRecord(options));
  }

  #batchersOf(topic: string): TopicBatchers {
    const existing = this.#topics.get(topic);
    if (existing !== undefined) return existing;
    const batchers = new TopicBatchers(topic, this.#context);
    this.#topics.set(topic, batchers);
    return batchers;
  }

  async #drain(drainMs: number): Promise<void> {
    this.#context.linger.flush();
    const timer = setTimeout(() => this.#abandon(drainMs), drainMs);
    await this.#space.whenIdle();
    clearTimeout(timer);
    this.#abandoned.abort();
  }

  #abandon(drainMs: number): void {
    const message = `the client was closed and not drained within ${drainMs} ms`;
    const reason = new PlatformError('STREAM_CLOSED', message);
    this.#abandoned.abort(reason);
    this.#space.refuseWaiters(reason);
    for (const batchers of this.#topics.values()) batchers.abandon(reason);
  }

  /** Resolves after the time, or when the publisher gives up. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#abandoned.signal.aborted) return resolve();
      const end = (): void => {
        clearTimeout(timer);
        this.#abandoned.signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#abandoned.signal.addEventListener('abort', end);
    });
  }
}

function ignore(): void {}

function notAccepted(topic: string, cause: unknown): PlatformError {
  const options = { cause, details: { topic } };
  return new PlatformError('EVENT_NOT_PUBLISHED', `no record accepted for ${topic}`, options);
}
