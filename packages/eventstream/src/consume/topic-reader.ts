import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Driver, DriverSubscription, LostRange, SubscriptionHandler } from '../driver.js';
import type { StoredRecord } from '../record.js';
import type { TimeSlice } from '../time-slice.js';
import { Committer } from './committer.js';
import type { ResolvedSettings } from './consumer-settings.js';
import type { ConsumeObserver, ConsumerName, LostRecords } from './observer.js';
import { type Block, PartitionProcessor, type RecordHandler } from './partition-processor.js';

/** Options of a topic reader. */
export interface TopicReaderOptions {
  readonly driver: Pick<Driver, 'subscribe'>;
  readonly name: ConsumerName;
  readonly settings: ResolvedSettings;
  readonly handle: RecordHandler;
  readonly observer: ConsumeObserver;
  readonly slice: TimeSlice;
}

/** State of an assigned partition. */
export interface PartitionStatus {
  readonly partition: number;
  /** Number of records from the first unfinished one on. */
  readonly inHand: number;
  /** True if a record can neither be handled nor be written to a dead letter or retry topic. */
  readonly blocked: boolean;
  /** Reason why it is blocked. Undefined: it is not. */
  readonly block?: Block | undefined;
}

/** Records that were lost, with the moment at which that was noticed. */
export interface NoticedLoss extends LostRecords {
  readonly noticedAt: Date;
}

/** Time for which a loss of records stays in the state of a reader, in ms. */
const lossVisibleMs = 900_000;

/** Longest part of the drain time that is reserved for the last commit, in ms. */
const commitReserveMs = 2_000;

/**
 * One subscription on a driver: a processor for each assigned partition, and their commits. The
 * processor of an assignment that is over is closed and removed from the map, so it is never
 * committed. How offsets are committed: committer.ts.
 */
export class TopicReader implements SubscriptionHandler {
  readonly name: ConsumerName;
  readonly #options: TopicReaderOptions;
  readonly #processors = new Map<number, PartitionProcessor>();
  readonly #committer: Committer;
  #subscription: DriverSubscription | undefined;
  #interruption: { readonly error: unknown } | undefined;
  #losses: readonly NoticedLoss[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: TopicReaderOptions) {
    this.name = options.name;
    this.#options = options;
    this.#committer = new Committer({
      processors: this.#processors,
      intervalMs: options.settings.commitIntervalMs,
      commit: (offsets) => this.#commit(offsets),
      onFailure: (error) => options.observer.commitFailed(options.name, error),
    });
  }

  start(): void {
    const { driver, name, settings } = this.#options;
    const { groupInstanceId, startOffset, drainMs } = settings;
    const request = { ...name, groupInstanceId, startOffset, drainMs };
    this.#subscription = driver.subscribe(request, this);
  }

  assigned(partitions: readonly number[]): void {
    this.#interruption = undefined;
    for (const partition of partitions) {
      this.#processors.get(partition)?.close(new Error('the partition was assigned again'));
      if (this.#closing) continue;
      this.#processors.set(partition, this.#openProcessor(partition));
    }
  }

  revoked(partitions: readonly number[]): Promise<void> {
    return this.#release(partitions, this.#options.settings.drainMs);
  }

  lost(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#processors.get(partition)?.close(new Error('the partition went to another consumer'));
      this.#processors.delete(partition);
    }
  }

  records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    this.#interruption = undefined;
    // Without a processor they belong to an assignment that is over: the new owner reads them.
    return this.#processors.get(partition)?.push(records) ?? Promise.resolve();
  }

  advanced(partition: number, offset: bigint): void {
    this.#processors.get(partition)?.advance(offset);
  }

  recordsLost(partition: number, { from, to }: LostRange): void {
    const lost = { partition, from, to };
    this.#losses = [...this.losses, { ...lost, noticedAt: new Date() }];
    this.#options.observer.recordsLost(this.#options.name, lost);
  }

  interrupted(error: unknown): void {
    this.#interruption = { error };
    this.#options.observer.interrupted(this.#options.name, error);
  }

  /**
   * Finishes the records that are being handled, within `drainMs`, commits them and leaves the
   * group. May be called again with less time.
   */
  async close(drainMs: number): Promise<void> {
    if (!this.#closing) {
      this.#closing = this.#close(drainMs);
      return this.#closing;
    }
    await settlesWithin(this.#closing, drainMs);
    const reason = new Error('the time to drain is over');
    for (const processor of this.#processors.values()) processor.close(reason);
    return this.#closing;
  }

  get processors(): Iterable<PartitionProcessor> {
    return this.#processors.values();
  }

  get partitions(): readonly PartitionStatus[] {
    return [...this.#processors.values()].map(({ partition, inHand, block }) => ({
      partition,
      inHand,
      blocked: block !== undefined,
      block,
    }));
  }

  /** Losses of records that were noticed in the last quarter of an hour. */
  get losses(): readonly NoticedLoss[] {
    const since = Date.now() - lossVisibleMs;
    return this.#losses.filter(({ noticedAt }) => noticedAt.getTime() > since);
  }

  /** Last failure of the stream, until records or an assignment come again. */
  get interruption(): { readonly error: unknown } | undefined {
    return this.#interruption;
  }

  async #close(drainMs: number): Promise<void> {
    // Here and not in `revoked`: the drain time may differ, and drivers may revoke one by one.
    await this.#release([...this.#processors.keys()], drainMs);
    try {
      await this.#subscription?.close();
    } catch (error) {
      // The consumer is closed, whatever the stream answers.
      this.#options.observer.interrupted(this.name, error);
    }
    this.lost([...this.#processors.keys()]);
    this.#committer.close();
  }

  async #commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    if (!this.#subscription) throw new PlatformError('STREAM_UNAVAILABLE', 'not subscribed yet');
    await this.#subscription.commit(offsets);
  }

  #openProcessor(partition: number): PartitionProcessor {
    const { settings, slice, handle } = this.#options;
    const { concurrency, ordering, maxInHand } = settings;
    return new PartitionProcessor(partition, {
      concurrency,
      ordering,
      maxInHand,
      slice,
      handle,
      onFinished: (processor) => {
        if (settings.commit === 'each') return this.#committer.store(processor);
        this.#committer.touch();
        return undefined;
      },
    });
  }

  /** Drains the partitions, commits what finished and abandons the rest. */
  async #release(partitions: readonly number[], drainMs: number): Promise<void> {
    const processors = partitions.flatMap((partition) => this.#processors.get(partition) ?? []);
    const reserveMs = Math.min(drainMs / 5, commitReserveMs);
    const drained = Promise.all(processors.map((processor) => processor.drain()));
    await settlesWithin(drained, drainMs - reserveMs);
    for (const processor of processors) processor.close(new Error('the partition is released'));
    await settlesWithin(this.#committer.flush(), Math.max(reserveMs, 1));
    for (const processor of processors) {
      const { partition } = processor;
      if (this.#processors.get(partition) === processor) this.#processors.delete(partition);
    }
  }
}
