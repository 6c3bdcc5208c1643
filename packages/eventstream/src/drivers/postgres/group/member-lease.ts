import { randomUUID } from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { SubscriptionRequest } from '../../../driver.js';
import type { NotifyChannel } from '../storage/notify-channel.js';
import type { LogTopic, TopicDirectory } from '../storage/topic-directory.js';
import { ensureGroup } from './group-store.js';
import {
  acquireShards,
  type CommitRow,
  commitOffsets,
  hasInstance,
  joinGroup,
  leaveGroup,
  type MemberKey,
  releaseShards,
  renewMember,
  type ShardAssignment,
} from './member-store.js';
import { shareChange } from './shares.js';

/** Options of a member's lease. */
export interface MemberLeaseOptions {
  readonly db: Database;
  readonly topics: TopicDirectory;
  readonly request: SubscriptionRequest;
  readonly leaseMs: number;
  /** Notifies the other members when a member joins or leaves, or releases shards. */
  readonly groups: NotifyChannel;
}

/** Result of a renewal. */
export interface RenewalResult {
  readonly acquired: readonly ShardAssignment[];
  /** Number of shards to release. */
  readonly surplus: number;
}

/** A new member, its topic and the end of its lease. */
interface Joined extends MemberKey {
  readonly topic: LogTopic;
  readonly leasedUntilMs: number;
}

/** A member's lease in a group, from joining until it runs out or the member leaves. */
export class MemberLease {
  readonly topic: LogTopic;
  /** Subject of hints about the group. */
  readonly subject: string;
  readonly #options: MemberLeaseOptions;
  readonly #self: MemberKey;
  #isReplaced = false;
  /** By the monotonic clock of this process. */
  #leasedUntilMs: number;

  private constructor(options: MemberLeaseOptions, { topic, leasedUntilMs, ...self }: Joined) {
    this.#options = options;
    this.#self = self;
    this.topic = topic;
    this.subject = String(self.group);
    this.#leasedUntilMs = leasedUntilMs;
  }

  /** Joins the group. @throws PlatformError `DATABASE_*` */
  static async join(options: MemberLeaseOptions): Promise<MemberLease> {
    const { db, topics, request, leaseMs } = options;
    // Counted from before the statement: the database counts from a later moment.
    const leasedUntilMs = performance.now() + leaseMs;
    const member = randomUUID();
    const { topic, group } = await db.transaction(async (tx) => {
      const found = await topics.ensure(tx, [request.topic]);
      const joined = found.get(request.topic);
      if (!joined) {
        throw new PlatformError('TOPIC_NOT_FOUND', `topic '${request.topic}' does not exist`);
      }
      const id = await ensureGroup(tx, joined, request);
      const instanceId = request.groupInstanceId;
      await joinGroup(tx, { member, group: id, instanceId, leaseMs });
      return { topic: joined, group: id };
    });
    options.groups.hint(String(group));
    return new MemberLease(options, { member, group, topic, leasedUntilMs });
  }

  /** True if the lease has run out, so that other members may own its shards by now. */
  get isExpired(): boolean {
    return performance.now() >= this.#leasedUntilMs;
  }

  /** True if another member has joined with the same instance id: this one must not join again. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Remaining time of the lease, in ms. */
  get remainingMs(): number {
    return this.#leasedUntilMs - performance.now();
  }

  /**
   * Renews the lease, and acquires free shards up to this member's share unless it is about to
   * leave.
   * @param owned shards that the member knows it owns, including those that it is giving up
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST` when the group has removed this member, or
   *   another one has its instance id; `DATABASE_*`
   */
  async renew(owned: ReadonlySet<number>, leaving: boolean): Promise<RenewalResult> {
    const { db, leaseMs } = this.#options;
    const leasedUntilMs = performance.now() + leaseMs;
    const state = await renewMember(db, this.#self, leaseMs);
    if (!state) return this.#removed();
    this.#leasedUntilMs = leasedUntilMs;
    if (leaving) return { acquired: [], surplus: 0 };
    const { member } = this.#self;
    const stored = state.shards.filter(({ owner }) => owner === member);
    const unknown = stored.map(({ shard }) => shard).filter((shard) => !owned.has(shard));
    // Left over from a release that failed, or from an acquisition whose answer was lost.
    if (unknown.length > 0) await this.release(unknown);
    const { acquire, release } = shareChange(state, member);
    if (acquire > 0) return { acquired: await acquireShards(db, this.#self, acquire), surplus: 0 };
    return { acquired: [], surplus: Math.max(0, release - unknown.length) };
  }

  async #removed(): Promise<never> {
    this.#leasedUntilMs = 0;
    const { db, request } = this.#options;
    const { groupId, groupInstanceId: instanceId } = request;
    const { group } = this.#self;
    this.#isReplaced = instanceId !== undefined && (await hasInstance(db, group, instanceId));
    const reason = this.#isReplaced
      ? `another consumer of group '${groupId}' has the instance id '${instanceId}'`
      : `group '${groupId}' removed this consumer, because its lease ran out`;
    throw new PlatformError('STREAM_ASSIGNMENT_LOST', reason);
  }

  async release(shards: readonly number[]): Promise<void> {
    await releaseShards(this.#options.db, this.#self, shards);
    this.#options.groups.hint(this.subject);
  }

  /**
   * Commits offsets. Returns the shards that the member has lost, whose offsets were not stored.
   */
  async commit(rows: readonly CommitRow[]): Promise<readonly number[]> {
    const kept = await commitOffsets(this.#options.db, this.#self, rows);
    return rows.map(({ shard }) => shard).filter((shard) => !kept.has(shard));
  }

  async leave(): Promise<void> {
    await leaveGroup(this.#options.db, this.#self);
    this.#options.groups.hint(this.subject);
  }
}
