import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { DriverSubscription, SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import { GroupMembership } from './group-membership.js';
import type { OwnedShard } from './member-store.js';
import { readableEnds } from './read-store.js';
import { ShardReader } from './shard-reader.js';
import { toStreamError } from './stream-errors.js';
import type { TopicDirectory } from './topic-directory.js';
import type { Wakeups } from './wakeups.js';

/** Records that were dropped by age before a group had read them: offsets `from` up to `to`. */
export interface SkippedRange {
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly from: bigint;
  /** Where reading goes on. */
  readonly to: bigint;
}

export interface LogSubscriptionOptions {
  readonly db: Database;
  readonly topics: TopicDirectory;
  readonly appends: Wakeups;
  readonly groups: Wakeups;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly batchSize: number;
  readonly maxBatchBytes: number;
  readonly onSkipped: (skipped: SkippedRange) => void;
}

/** Between two looks for new records, however many hints there are. */
const minLookMs = 5;
/** An appender is at work, or was and has given up: then nobody tells that others can be read. */
const blockedLookMs = 20;
const minBackoffMs = 50;
const maxBackoffMs = 2_000;

/**
 * One consumer of a group. A loop renews the lease, comes to its share of the shards and looks how
 * far they can be read; each shard has a reader that delivers on its own.
 */
export class LogSubscription implements DriverSubscription {
  readonly #options: LogSubscriptionOptions;
  readonly #readers = new Map<number, ShardReader>();
  /** Partitions being given back: theirs is still to commit, and nothing more to read. */
  readonly #leaving = new Map<number, Promise<void>>();
  readonly #unwatch: () => void;
  #unwatchGroup: (() => void) | undefined;
  readonly #running: Promise<void>;
  #membership: GroupMembership | undefined;
  #renewAtMs = 0;
  #lookAtMs = 0;
  #lookedAtMs = 0;
  #failures = 0;
  #ending = false;
  #stopped = false;
  #endWait: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LogSubscriptionOptions) {
    this.#options = options;
    this.#unwatch = options.appends.watch(options.request.topic, () => this.#lookSoon());
    this.#running = this.#run();
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const membership = this.#membership;
    const rows = [...offsets].flatMap(([partition, offset]) => {
      const reader = this.#readers.get(partition);
      return reader ? [{ shard: reader.name.shard, epoch: reader.epoch, offset }] : [];
    });
    const lostShards = membership && rows.length > 0 ? await this.#store(membership, rows) : [];
    if (membership && rows.length === offsets.size && lostShards.length === 0) return;
    if (this.#membership === membership) this.#lose(lostShards);
    const { topic, groupId } = this.#options.request;
    const reason = `a partition of ${topic} is not this consumer's of ${groupId} any more`;
    throw new PlatformError('STREAM_ASSIGNMENT_LOST', reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#ending = true;
    this.#revoke([...this.#readers.keys()].filter((partition) => !this.#leaving.has(partition)));
    // The loop goes on renewing the lease meanwhile.
    while (this.#leaving.size > 0) await Promise.all(this.#leaving.values());
    this.#stopped = true;
    this.#unwatch();
    this.#unwatchGroup?.();
    this.#endWait?.();
    await this.#running;
    // When it cannot be told, the others see the lease run out.
    await this.#membership?.leave().catch(() => undefined);
  }

  async #run(): Promise<void> {
    // Not before the one who subscribes has the subscription.
    await Promise.resolve();
    while (!this.#stopped) {
      let waitMs: number;
      try {
        await this.#turn();
        this.#failures = 0;
        waitMs = Math.min(this.#renewAtMs, this.#lookAtMs) - performance.now();
      } catch (error) {
        waitMs = this.#failed(error);
      }
      if (this.#membership?.isOver) this.#forget();
      if (!this.#stopped) await this.#wait(waitMs);
    }
  }

  async #turn(): Promise<void> {
    if (this.#membership === undefined) {
      this.#lookAtMs = this.#renewAtMs = performance.now() + this.#options.pollMs;
      if (this.#ending) return;
      this.#membership = await GroupMembership.join(this.#options);
      this.#unwatchGroup?.();
      const { subject } = this.#membership;
      this.#unwatchGroup = this.#options.groups.watch(subject, () => this.#renewSoon());
      this.#renewAtMs = 0;
    }
    if (performance.now() >= this.#renewAtMs) await this.#renew(this.#membership);
    if (performance.now() >= this.#lookAtMs) await this.#look();
  }

  /** Gives how long to wait, in milliseconds. */
  #failed(error: unknown): number {
    this.#failures += 1;
    this.#options.handler.interrupted(toStreamError(error));
    const backoffMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** (this.#failures - 1));
    const jittered = backoffMs * (0.5 + Math.random() / 2);
    return Math.min(jittered, this.#membership?.remainingMs ?? jittered);
  }

  async #renew(membership: GroupMembership): Promise<void> {
    const { leaseMs } = this.#options;
    const held = new Set([...this.#readers.values()].map(({ name }) => name.shard));
    const { taken, giveBack } = await membership.renew(held, this.#ending);
    this.#renewAtMs = performance.now() + leaseMs / 3;
    if (this.#ending) return;
    this.#assign(membership, taken);
    const staying = [...this.#readers.keys()].filter((partition) => !this.#leaving.has(partition));
    const surplus = giveBack - this.#leaving.size;
    if (surplus > 0) this.#revoke(staying.slice(-surplus));
  }

  #assign(membership: GroupMembership, taken: readonly OwnedShard[]): void {
    if (taken.length === 0) return;
    const { handler } = this.#options;
    const readers = taken.map((owned) => this.#createReader(membership, owned));
    for (const reader of readers) this.#readers.set(reader.name.partition, reader);
    handler.assigned(readers.map(({ name }) => name.partition));
    this.#lookAtMs = 0;
  }

  #createReader({ topic }: GroupMembership, owned: OwnedShard): ShardReader {
    const { db, handler, request, batchSize, maxBatchBytes, onSkipped } = this.#options;
    const partition = topic.shards.indexOf(owned.shard);
    const { groupId } = request;
    return new ShardReader({
      db,
      name: { shard: owned.shard, topic: topic.name, partition },
      owned,
      batchSize,
      maxBatchBytes,
      deliver: (records) => handler.records(partition, records),
      onSkipped: (from, to) => onSkipped({ topic: topic.name, partition, groupId, from, to }),
      onDrained: () => this.#lookSoon(),
      onError: (error) => {
        handler.interrupted(toStreamError(error));
      },
    });
  }

  async #look(): Promise<void> {
    const readers = [...this.#readers.values()];
    this.#lookedAtMs = performance.now();
    this.#lookAtMs = this.#lookedAtMs + this.#options.pollMs;
    if (readers.length === 0 || this.#ending) return;
    const { db } = this.#options;
    const ends = await readableEnds(
      db,
      readers.map(({ name }) => name.shard),
    );
    for (const reader of readers) {
      const end = ends.get(reader.name.shard);
      if (!end) continue;
      if (end.readable < end.drawn) this.#lookWithin(blockedLookMs);
      reader.readTo(end.readable);
    }
  }

  #lookSoon(): void {
    this.#lookWithin(minLookMs);
    // After a failure the wait is for the database's sake.
    if (this.#failures === 0) this.#endWait?.();
  }

  /** The group has changed. */
  #renewSoon(): void {
    this.#renewAtMs = 0;
    if (this.#failures === 0) this.#endWait?.();
  }

  #lookWithin(ms: number): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, this.#lookedAtMs + ms);
  }

  /** Gives partitions back when the handler is done with them, or its time is over. */
  #revoke(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    const readers = partitions.flatMap((partition) => this.#readers.get(partition) ?? []);
    for (const reader of readers) reader.stop();
    const membership = this.#membership;
    const done = this.#drain(partitions).then(async () => {
      for (const partition of partitions) {
        if (this.#leaving.get(partition) === done) this.#leaving.delete(partition);
      }
      const kept = readers.filter(({ name }) => this.#readers.get(name.partition)?.name === name);
      for (const { name } of kept) this.#readers.delete(name.partition);
      if (this.#ending || membership !== this.#membership) return;
      // What cannot be told now is found by the next renewal.
      await membership?.release(kept.map(({ name }) => name.shard)).catch(() => undefined);
    });
    for (const partition of partitions) this.#leaving.set(partition, done);
  }

  async #drain(partitions: readonly number[]): Promise<void> {
    const { handler, request } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, request.drainMs);
    await Promise.race([handler.revoked(partitions), promise]);
    clearTimeout(timer);
  }

  async #store(
    membership: GroupMembership,
    rows: Parameters<GroupMembership['commit']>[0],
  ): Promise<readonly number[]> {
    try {
      return await membership.commit(rows);
    } catch (error) {
      throw toStreamError(error);
    }
  }

  /** The lease ran out, or the others say so: everything is lost, and it joins anew. */
  #forget(): void {
    this.#membership = undefined;
    this.#lose([...this.#readers.values()].map(({ name }) => name.shard));
    this.#leaving.clear();
  }

  #lose(shards: readonly number[]): void {
    const lost = [...this.#readers].filter(([, { name }]) => shards.includes(name.shard));
    for (const [partition, reader] of lost) {
      reader.stop();
      this.#readers.delete(partition);
    }
    const partitions = lost.map(([partition]) => partition);
    // A handler that is just giving one back learns it from its commit.
    const told = partitions.filter((partition) => !this.#leaving.has(partition));
    if (told.length > 0) this.#options.handler.lost(told);
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endWait = undefined;
  }
}
