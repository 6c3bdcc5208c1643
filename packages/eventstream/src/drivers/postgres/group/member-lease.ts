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
  releaseShards,
  renewMember,
  type ShardAssignment,
} from './member-store.js';
import { shareChange } from './shares.js';

export interface MemberLeaseOptions {
  readonly db: Database;
  readonly topics: TopicDirectory;
  readonly request: SubscriptionRequest;
  readonly leaseMs: number;
  /** Tells the others of the group when there is something for them to do. */
  readonly groups: NotifyChannel;
}

/** What came of renewing a membership. */
export interface RenewalResult {
  readonly taken: readonly ShardAssignment[];
  /** How many of the shards should be given back. */
  readonly giveBack: number;
}

/** One stay in a group, from joining until the lease runs out or the member leaves. */
export class MemberLease {
  readonly topic: LogTopic;
  /** What hints about the group name it by. */
  readonly subject: string;
  readonly #options: MemberLeaseOptions;
  readonly #group: number;
  readonly #member: string;
  #isReplaced = false;
  /** By the steady clock of this process. */
  #leasedUntilMs: number;

  private constructor(
    options: MemberLeaseOptions,
    topic: LogTopic,
    group: number,
    stay: { readonly member: string; readonly leasedUntilMs: number },
  ) {
    this.#options = options;
    this.topic = topic;
    this.#group = group;
    this.subject = String(group);
    this.#member = stay.member;
    this.#leasedUntilMs = stay.leasedUntilMs;
  }

  /** @throws PlatformError `DATABASE_*` */
  static async join(options: MemberLeaseOptions): Promise<MemberLease> {
    const { db, topics, request, leaseMs } = options;
    // Counted from before the statement: the database counts from a later moment.
    const leasedUntilMs = performance.now() + leaseMs;
    const member = randomUUID();
    const { topic, group } = await db.transaction(async (tx) => {
      const found = await topics.ensure(tx, [request.topic]);
      const joined = found.get(request.topic);
      if (!joined) throw new PlatformError('TOPIC_NOT_FOUND', `there is no ${request.topic}`);
      const id = await ensureGroup(tx, joined, request.groupId, request.startOffset);
      const instanceId = request.groupInstanceId;
      await joinGroup(tx, { member, group: id, instanceId, leaseMs });
      return { topic: joined, group: id };
    });
    options.groups.hint(String(group));
    return new MemberLease(options, topic, group, { member, leasedUntilMs });
  }

  /** Whether what this member has may be another's by now. */
  get isOver(): boolean {
    return performance.now() >= this.#leasedUntilMs;
  }

  /** Whether another has joined with the same instance id: this one must not come back. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** How long the lease still runs, in milliseconds. */
  get remainingMs(): number {
    return this.#leasedUntilMs - performance.now();
  }

  /**
   * Renews the lease, and takes what is free of this member's share unless it is about to leave.
   * @param held shards that this member knows it has, those that it is giving back included
   * @throws PlatformError `STREAM_ASSIGNMENT_LOST` when the others took it for dead, or another has
   *   its instance id; `DATABASE_*`
   */
  async renew(held: ReadonlySet<number>, leaving: boolean): Promise<RenewalResult> {
    const { db, leaseMs } = this.#options;
    const leasedUntilMs = performance.now() + leaseMs;
    const view = await renewMember(db, this.#member, this.#group, leaseMs);
    if (!view) return this.#removed();
    this.#leasedUntilMs = leasedUntilMs;
    if (leaving) return { taken: [], giveBack: 0 };
    const own = view.shards.filter(({ owner }) => owner === this.#member);
    const strays = own.map(({ shard }) => shard).filter((shard) => !held.has(shard));
    // Left over from a release, or an answer, that failed on its way.
    if (strays.length > 0) await this.release(strays);
    const { acquire, release } = shareChange(view, this.#member);
    if (acquire === 0) return { taken: [], giveBack: Math.max(0, release - strays.length) };
    return { taken: await acquireShards(db, this.#member, this.#group, acquire), giveBack: 0 };
  }

  async #removed(): Promise<never> {
    this.#leasedUntilMs = 0;
    const { db, request } = this.#options;
    const { groupId, groupInstanceId: instanceId } = request;
    this.#isReplaced = instanceId !== undefined && (await hasInstance(db, this.#group, instanceId));
    const reason = this.#isReplaced
      ? `another consumer of ${groupId} has the instance id ${instanceId}`
      : `the group ${groupId} took this consumer for dead`;
    throw new PlatformError('STREAM_ASSIGNMENT_LOST', reason);
  }

  async release(shards: readonly number[]): Promise<void> {
    await releaseShards(this.#options.db, this.#member, this.#group, shards);
    this.#options.groups.hint(this.subject);
  }

  /** Gives the shards that are not this member's any more: of them nothing was stored. */
  async commit(rows: readonly CommitRow[]): Promise<readonly number[]> {
    const kept = await commitOffsets(this.#options.db, this.#member, this.#group, rows);
    return rows.map(({ shard }) => shard).filter((shard) => !kept.has(shard));
  }

  async leave(): Promise<void> {
    await leaveGroup(this.#options.db, this.#member, this.#group);
    this.#options.groups.hint(this.subject);
  }
}
