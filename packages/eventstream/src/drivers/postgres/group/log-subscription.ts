/**
 * One consumer of a group on the log. A loop does three things when they are due:
 *
 *   join   without a lease: adds a member to the group (member-lease.ts)
 *   renew  every third of the lease, or at a hint about the group: renews the lease, acquires or
 *          revokes shards up to the member's share (shares.ts)
 *   poll   every `pollMs`, or at a hint about an append: finds how far the shards are readable, and
 *          lets their readers read and deliver on their own (shard-reader.ts)
 *
 * States:
 *
 *   running  has a lease, or tries to get one
 *   ending   acquires no shards; revokes all, while the loop still renews the lease
 *   stopped  the loop has ended; the member leaves the group
 *
 * Invariants: when the lease runs out, by this process' clock, all shards are lost at once, before
 * another member can own them; a commit names the epoch in which the records were read, so a shard
 * that another member owned in the meantime is never committed.
 */

import { backoffMs, PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type {
  DriverSubscription,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../../driver.js';
import { readableEnds } from '../read/read-store.js';
import type { NotifyChannel } from '../storage/notify-channel.js';
import { toStreamError } from '../storage/stream-errors.js';
import type { TopicDirectory } from '../storage/topic-directory.js';
import { MemberLease } from './member-lease.js';
import type { CommitRow, ShardAssignment } from './member-store.js';
import { OwnedShards } from './owned-shards.js';
import { ShardReader, type SkippedRange } from './shard-reader.js';

/** Options of a consumer on the log. */
export interface LogSubscriptionOptions {
  readonly db: Database;
  readonly topics: TopicDirectory;
  /** Hints about appends. */
  readonly appends: NotifyChannel;
  /** Hints about groups. */
  readonly groups: NotifyChannel;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly batchSize: number;
  readonly maxBatchBytes: number;
  readonly onSkipped: (skipped: SkippedRange) => void;
}

/** Shortest time between two polls, in ms, however many hints come. */
const minPollMs = 5;
/**
 * First wait until the next poll while an appender is at work, in ms; doubled each time. No hint
 * comes when that appender is rolled back and the records behind it become readable.
 */
const minBlockedMs = 20;
/** Waits after failures. */
const backoff = { initialMs: 50, maxMs: 2_000 };

/** One consumer of a group on the log. */
export class LogSubscription implements DriverSubscription {
  readonly #options: LogSubscriptionOptions;
  readonly #owned: OwnedShards;
  readonly #unwatchAppends: () => void;
  #unwatchGroup: (() => void) | undefined;
  readonly #running: Promise<void>;
  #lease: MemberLease | undefined;
  #renewAtMs = 0;
  #pollAtMs = 0;
  #polledAtMs = 0;
  #blockedMs = minBlockedMs;
  #failures = 0;
  #ending = false;
  #stopped = false;
  #endWait: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LogSubscriptionOptions) {
    this.#options = options;
    this.#owned = new OwnedShards(options.handler);
    const { topic } = options.request;
    this.#unwatchAppends = options.appends.watch(topic, () => this.#pollSoon());
    this.#running = this.#run();
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const lease = this.#lease;
    const rows = this.#owned.toCommitRows(offsets);
    const lost = lease && rows.length > 0 ? await storeOffsets(lease, rows) : [];
    if (lease && rows.length === offsets.size && lost.length === 0) return;
    if (this.#lease === lease) this.#owned.lose(lost);
    const { topic, groupId } = this.#options.request;
    const reason = `this consumer of group '${groupId}' lost a partition of topic '${topic}'`;
    throw new PlatformError('STREAM_ASSIGNMENT_LOST', reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#ending = true;
    this.#revoke(this.#owned.keptPartitions);
    // The loop renews the lease meanwhile.
    await this.#owned.whenRevoked();
    this.#stopped = true;
    this.#unwatchAppends();
    this.#endWait?.();
    await this.#running;
    this.#unwatchGroup?.();
    // If leaving fails, the other members see the lease run out.
    await this.#lease?.leave().catch(() => undefined);
  }

  async #run(): Promise<void> {
    // Not before the caller of `subscribe` has the subscription.
    await Promise.resolve();
    while (!this.#stopped) {
      let waitMs: number;
      try {
        await this.#doDueWork();
        this.#failures = 0;
        waitMs = Math.min(this.#renewAtMs, this.#pollAtMs) - performance.now();
      } catch (error) {
        waitMs = this.#afterFailure(error);
      }
      if (this.#lease?.isExpired) this.#loseLease();
      if (!this.#stopped) await this.#wait(waitMs);
    }
  }

  async #doDueWork(): Promise<void> {
    const lease = this.#lease ?? (await this.#join());
    if (lease === undefined) return;
    if (performance.now() >= this.#renewAtMs) await this.#renew(lease);
    if (performance.now() >= this.#pollAtMs) await this.#poll();
  }

  async #join(): Promise<MemberLease | undefined> {
    this.#renewAtMs = this.#pollAtMs = performance.now() + this.#options.pollMs;
    if (this.#ending) return undefined;
    const lease = await MemberLease.join(this.#options);
    this.#lease = lease;
    this.#unwatchGroup?.();
    this.#unwatchGroup = this.#options.groups.watch(lease.subject, () => this.#renewSoon());
    this.#renewAtMs = 0;
    return lease;
  }

  /** Reports a failure. Returns the time to wait, in ms. */
  #afterFailure(error: unknown): number {
    this.#failures += 1;
    this.#options.handler.interrupted(toStreamError(error));
    const waitMs = backoffMs(this.#failures, backoff, Math.random());
    return Math.min(waitMs, this.#lease?.remainingMs ?? waitMs);
  }

  async #renew(lease: MemberLease): Promise<void> {
    // Set before the statement: a hint that comes meanwhile asks for another renewal.
    this.#renewAtMs = performance.now() + this.#options.leaseMs / 3;
    const { acquired, surplus } = await lease.renew(new Set(this.#owned.shards), this.#ending);
    if (this.#ending) return;
    if (acquired.length > 0) {
      this.#owned.assign(acquired.map((assignment) => this.#createReader(lease, assignment)));
      this.#pollAtMs = 0;
    }
    const excess = surplus - this.#owned.revokingCount;
    if (excess > 0) this.#revoke(this.#owned.keptPartitions.slice(-excess));
  }

  #createReader({ topic }: MemberLease, assignment: ShardAssignment): ShardReader {
    const { db, handler, request, batchSize, maxBatchBytes, onSkipped } = this.#options;
    const partition = topic.shards.indexOf(assignment.shard);
    const { groupId } = request;
    return new ShardReader({
      db,
      name: { shard: assignment.shard, topic: topic.name, partition },
      assignment,
      batchSize,
      maxBatchBytes,
      deliver: (records) => handler.records(partition, records),
      onSkipped: (from, to) => {
        handler.recordsLost?.(partition, { from, to });
        onSkipped({ topic: topic.name, partition, groupId, from, to });
      },
      onDrained: () => this.#pollSoon(),
      onError: (error) => handler.interrupted(toStreamError(error)),
    });
  }

  /** Finds how far the shards are readable, and lets their readers read. */
  async #poll(): Promise<void> {
    const { readers } = this.#owned;
    this.#polledAtMs = performance.now();
    this.#pollAtMs = this.#polledAtMs + this.#options.pollMs;
    if (readers.length === 0 || this.#ending) return;
    const ends = await readableEnds(this.#options.db, this.#owned.shards);
    let isBlocked = false;
    for (const reader of readers) {
      const end = ends.get(reader.name.shard);
      if (!end) continue;
      isBlocked ||= end.readable < end.drawn;
      reader.readTo(end.readable);
    }
    if (isBlocked) this.#pollWithin(this.#blockedMs);
    this.#blockedMs = isBlocked ? this.#blockedMs * 2 : minBlockedMs;
  }

  #pollSoon(): void {
    this.#pollWithin(minPollMs);
    this.#stopWaiting();
  }

  #pollWithin(ms: number): void {
    this.#pollAtMs = Math.min(this.#pollAtMs, this.#polledAtMs + ms);
  }

  /** Renews at once, because the group has changed. */
  #renewSoon(): void {
    this.#renewAtMs = 0;
    this.#stopWaiting();
  }

  #revoke(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    const lease = this.#lease;
    void this.#owned.revoke(partitions, this.#options.request.drainMs).then((shards) => {
      if (this.#ending || lease !== this.#lease) return;
      // If the release fails, the next renewal finds the shards and releases them.
      lease?.release(shards).catch(() => undefined);
    });
  }

  /**
   * Loses all shards, because the lease has run out or the group has removed this member. The loop
   * then joins again, unless another member has the instance id: the two would replace each other
   * for ever.
   */
  #loseLease(): void {
    if (this.#lease?.isReplaced) this.#ending = this.#stopped = true;
    this.#lease = undefined;
    this.#owned.lose(this.#owned.shards);
  }

  /** Ends the wait of the loop; not after a failure, when the wait spares the database. */
  #stopWaiting(): void {
    if (this.#failures === 0) this.#endWait?.();
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

/** Commits offsets. Returns the shards that were lost, whose offsets were not stored. */
async function storeOffsets(
  lease: MemberLease,
  rows: readonly CommitRow[],
): Promise<readonly number[]> {
  try {
    return await lease.commit(rows);
  } catch (error) {
    throw toStreamError(error);
  }
}
