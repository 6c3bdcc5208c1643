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
import type { ShardAssignment } from './member-store.js';
import { OwnedShards } from './owned-shards.js';
import { ShardReader } from './shard-reader.js';

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
  readonly appends: NotifyChannel;
  readonly groups: NotifyChannel;
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
/**
 * Until the next look while an appender is at work, doubled each time: when it gives up, nobody tells
 * that what stands behind it can be read.
 */
const minBlockedMs = 20;
const backoff = { initialMs: 50, maxMs: 2_000 };

/**
 * One consumer of a group. A loop renews the lease, comes to its share of the shards and looks how
 * far they can be read; each shard has a reader that delivers on its own.
 */
export class LogSubscription implements DriverSubscription {
  readonly #options: LogSubscriptionOptions;
  readonly #held: OwnedShards;
  readonly #unwatchAppends: () => void;
  #unwatchGroup: (() => void) | undefined;
  readonly #running: Promise<void>;
  #membership: MemberLease | undefined;
  #renewAtMs = 0;
  #lookAtMs = 0;
  #lookedAtMs = 0;
  #blockedMs = minBlockedMs;
  #failures = 0;
  #ending = false;
  #stopped = false;
  #endWait: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LogSubscriptionOptions) {
    this.#options = options;
    this.#held = new OwnedShards(options.handler);
    const { topic } = options.request;
    this.#unwatchAppends = options.appends.watch(topic, () => this.#lookSoon());
    this.#running = this.#run();
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const membership = this.#membership;
    const rows = this.#held.toCommitRows(offsets);
    const lost = membership && rows.length > 0 ? await storeOffsets(membership, rows) : [];
    if (membership && rows.length === offsets.size && lost.length === 0) return;
    if (this.#membership === membership) this.#held.lose(lost);
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
    this.#revoke(this.#held.staying);
    // The loop goes on renewing the lease meanwhile.
    await this.#held.settled();
    this.#stopped = true;
    this.#unwatchAppends();
    this.#endWait?.();
    await this.#running;
    this.#unwatchGroup?.();
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
    const membership = this.#membership ?? (await this.#join());
    if (membership === undefined) return;
    if (performance.now() >= this.#renewAtMs) await this.#renew(membership);
    if (performance.now() >= this.#lookAtMs) await this.#look();
  }

  async #join(): Promise<MemberLease | undefined> {
    this.#renewAtMs = this.#lookAtMs = performance.now() + this.#options.pollMs;
    if (this.#ending) return undefined;
    const membership = await MemberLease.join(this.#options);
    this.#membership = membership;
    this.#unwatchGroup?.();
    this.#unwatchGroup = this.#options.groups.watch(membership.subject, () => this.#renewSoon());
    this.#renewAtMs = 0;
    return membership;
  }

  /** Gives how long to wait, in milliseconds. */
  #failed(error: unknown): number {
    this.#failures += 1;
    this.#options.handler.interrupted(toStreamError(error));
    const waitMs = backoffMs(this.#failures, backoff, Math.random());
    return Math.min(waitMs, this.#membership?.remainingMs ?? waitMs);
  }

  async #renew(membership: MemberLease): Promise<void> {
    // Before the statement: a hint that comes meanwhile asks for another.
    this.#renewAtMs = performance.now() + this.#options.leaseMs / 3;
    const { taken, giveBack } = await membership.renew(new Set(this.#held.shards), this.#ending);
    if (this.#ending) return;
    if (taken.length > 0) {
      this.#held.assign(taken.map((owned) => this.#createReader(membership, owned)));
      this.#lookAtMs = 0;
    }
    const surplus = giveBack - this.#held.leavingCount;
    if (surplus > 0) this.#revoke(this.#held.staying.slice(-surplus));
  }

  #createReader({ topic }: MemberLease, owned: ShardAssignment): ShardReader {
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
      onError: (error) => handler.interrupted(toStreamError(error)),
    });
  }

  async #look(): Promise<void> {
    const { readers } = this.#held;
    this.#lookedAtMs = performance.now();
    this.#lookAtMs = this.#lookedAtMs + this.#options.pollMs;
    if (readers.length === 0 || this.#ending) return;
    const ends = await readableEnds(this.#options.db, this.#held.shards);
    let isBlocked = false;
    for (const reader of readers) {
      const end = ends.get(reader.name.shard);
      if (!end) continue;
      isBlocked ||= end.readable < end.drawn;
      reader.readTo(end.readable);
    }
    if (isBlocked) this.#lookWithin(this.#blockedMs);
    this.#blockedMs = isBlocked ? this.#blockedMs * 2 : minBlockedMs;
  }

  #lookSoon(): void {
    this.#lookWithin(minLookMs);
    this.#stopWaiting();
  }

  #lookWithin(ms: number): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, this.#lookedAtMs + ms);
  }

  /** The group has changed. */
  #renewSoon(): void {
    this.#renewAtMs = 0;
    this.#stopWaiting();
  }

  #revoke(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    const membership = this.#membership;
    void this.#held.revoke(partitions, this.#options.request.drainMs).then((shards) => {
      if (this.#ending || membership !== this.#membership) return;
      // What cannot be told now is found by the next renewal.
      membership?.release(shards).catch(() => undefined);
    });
  }

  /**
   * The lease ran out, or the others say so: everything is lost, and it joins anew. Not so when
   * another has its instance id: the two would throw each other out for ever.
   */
  #forget(): void {
    if (this.#membership?.isReplaced) this.#ending = this.#stopped = true;
    this.#membership = undefined;
    this.#held.lose(this.#held.shards);
  }

  /** After a failure the wait is for the database's sake. */
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

/** Gives the shards of which nothing was stored, because they are another's. */
async function storeOffsets(
  membership: MemberLease,
  rows: Parameters<MemberLease['commit']>[0],
): Promise<readonly number[]> {
  try {
    return await membership.commit(rows);
  } catch (error) {
    throw toStreamError(error);
  }
}
