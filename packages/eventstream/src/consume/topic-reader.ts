import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Driver, DriverSubscription, SubscriptionHandler } from '../driver.js';
import type { StoredRecord } from '../record.js';
import type { TimeSlice } from '../time-slice.js';
import { Committer } from './committer.js';
import type { ResolvedSettings } from './consumer-settings.js';
import type { ConsumeObserver, ConsumerName } from './observer.js';
import { PartitionProcessor, type RecordHandler } from './partition-processor.js';

export interface TopicReaderOptions {
  readonly driver: Pick<Driver, 'subscribe'>;
  readonly name: ConsumerName;
  readonly settings: ResolvedSettings;
  readonly handle: RecordHandler;
  readonly observer: ConsumeObserver;
  readonly slice: TimeSlice;
}

/** What a partition is doing. */
export interface PartitionStatus {
  readonly partition: number;
  /** Records from the first unfinished one on. */
  readonly inHand: number;
  /** Whether it stands still, because a record can neither be handled nor put away. */
  readonly blocked: boolean;
}

/** Longest part of the time to drain that is kept for the last commit, in milliseconds. */
const commitReserveMs = 2_000;

/**
 * One subscription on a driver: a lane for each assigned partition, and their commits. What belongs
 * to an assignment that is over is closed and out of the map, and so can never be committed.
 */
export class TopicReader implements SubscriptionHandler {
  readonly name: ConsumerName;
  readonly #options: TopicReaderOptions;
  readonly #lanes = new Map<number, PartitionProcessor>();
  readonly #committer: Committer;
  #subscription: DriverSubscription | undefined;
  #interruption: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: TopicReaderOptions) {
    this.name = options.name;
    this.#options = options;
    this.#committer = new Committer({
      processors: this.#lanes,
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
      this.#lanes.get(partition)?.close(new Error('the partition was assigned anew'));
      if (this.#closing) continue;
      this.#lanes.set(partition, this.#openLane(partition));
    }
  }

  revoked(partitions: readonly number[]): Promise<void> {
    return this.#release(partitions, this.#options.settings.drainMs);
  }

  lost(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#lanes.get(partition)?.close(new Error('the partition went to another consumer'));
      this.#lanes.delete(partition);
    }
  }

  records(partition: number, records: readonly StoredRecord[]): Promise<void> {
    this.#interruption = undefined;
    // Without a lane they belong to an assignment that is over: whoever has it now reads them.
    return this.#lanes.get(partition)?.push(records) ?? Promise.resolve();
  }

  interrupted(error: unknown): void {
    this.#interruption = { error };
    this.#options.observer.interrupted(this.#options.name, error);
  }

  /**
   * Finishes what is being handled, within `drainMs`, commits it and leaves the group. May be called
   * again with less time.
   */
  async close(drainMs: number): Promise<void> {
    if (!this.#closing) {
      this.#closing = this.#close(drainMs);
      return this.#closing;
    }
    await settlesWithin(this.#closing, drainMs);
    for (const lane of this.#lanes.values()) lane.close(new Error('the time to drain is over'));
    return this.#closing;
  }

  get processors(): Iterable<PartitionProcessor> {
    return this.#lanes.values();
  }

  get partitions(): readonly PartitionStatus[] {
    return [...this.#lanes.values()].map(({ partition, inHand, paused }) => ({
      partition,
      inHand,
      blocked: paused,
    }));
  }

  /** What keeps the stream away at present, if anything does. */
  get interruption(): { readonly error: unknown } | undefined {
    return this.#interruption;
  }

  async #close(drainMs: number): Promise<void> {
    // Here and not in `revoked`: the time may be another one, and drivers may revoke one by one.
    await this.#release([...this.#lanes.keys()], drainMs);
    try {
      await this.#subscription?.close();
    } catch (error) {
      // Whatever the stream says now, this consumer is gone.
      this.#options.observer.interrupted(this.name, error);
    }
    this.lost([...this.#lanes.keys()]);
    this.#committer.close();
  }

  async #commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    if (!this.#subscription) throw new PlatformError('STREAM_UNAVAILABLE', 'not subscribed yet');
    await this.#subscription.commit(offsets);
  }

  #openLane(partition: number): PartitionProcessor {
    const { settings, slice, handle } = this.#options;
    const { concurrency, ordering, maxInHand } = settings;
    return new PartitionProcessor(partition, {
      concurrency,
      ordering,
      maxInHand,
      slice,
      handle,
      onFinished: (lane) => {
        if (settings.commit === 'each') return this.#committer.store(lane);
        this.#committer.touch();
        return undefined;
      },
    });
  }

  async #release(partitions: readonly number[], drainMs: number): Promise<void> {
    const lanes = partitions.flatMap((partition) => this.#lanes.get(partition) ?? []);
    const reserveMs = Math.min(drainMs / 5, commitReserveMs);
    await settlesWithin(Promise.all(lanes.map((lane) => lane.drain())), drainMs - reserveMs);
    for (const lane of lanes) lane.close(new Error('the partition is released'));
    await settlesWithin(this.#committer.flush(), Math.max(reserveMs, 1));
    for (const lane of lanes) {
      if (this.#lanes.get(lane.partition) === lane) this.#lanes.delete(lane.partition);
    }
  }
}
