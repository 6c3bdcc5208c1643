import type { EachBatchPayload } from 'kafkajs';
import type { SubscriptionHandler, SubscriptionRequest } from '../../driver.js';
import type { Membership } from './group-coordinator.js';
import { HeldPartitions } from './held-partitions.js';
import { KafkaRecord } from './kafka-record.js';
import { assignmentLost, commitOffsets, isExpelled, isStillMember } from './member-requests.js';
import { settlesWithin } from './settle.js';

/** Longer than this, and the partition is paused for the others' sake. */
const patienceMs = 50;

/** What a member does to its consumer. */
export interface PartitionControl {
  /** Fetches from the partition again. */
  resume(partition: number): void;
  seek(partition: number, offset: bigint): void;
}

export interface GroupMemberOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly control: PartitionControl;
  readonly heartbeatIntervalMs: number;
}

type Batch = Pick<EachBatchPayload, 'batch' | 'resolveOffset' | 'pause'>;

/** kafkajs's types leave out where a batch was fetched from. */
type FetchedBatch = EachBatchPayload['batch'] & { readonly fetchedOffset: string };

/**
 * Stands between kafkajs and the handler: hands on what is of the assignment that holds now, in
 * order and without gaps, and nothing of an earlier one. Assignments follow one another:
 * joined, records and commits, then given up (`revoked`) or gone (`lost`), then joined again.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  #held: HeldPartitions | undefined;
  #givingUp: Promise<void> | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
  }

  get held(): HeldPartitions | undefined {
    return this.#held;
  }

  joined(membership: Membership, partitions: readonly number[]): void {
    const held = new HeldPartitions(membership, partitions);
    this.#held = held;
    // Paused for a handler that does not matter any more.
    for (const partition of partitions) this.#options.control.resume(partition);
    this.#options.handler.assigned(partitions);
  }

  /** Reading goes on there. */
  learnPosition(partition: number, position: bigint): void {
    this.#held?.positions.set(partition, position);
  }

  async take({ batch, resolveOffset, pause }: Batch): Promise<void> {
    const held = this.#held;
    const { partition, messages } = batch;
    if (!held?.takes(partition)) return;
    const from = BigInt((batch as FetchedBatch).fetchedOffset);
    const position = held.positions.get(partition) ?? from;
    if (from > position) {
      // A fetch that was under way during a rebalance, when others had read further than committed.
      this.#options.control.seek(partition, position);
      return;
    }
    const { topic } = this.#options.request;
    const records = messages.map((message) => new KafkaRecord(topic, partition, message));
    const news = from === position ? records : records.filter(({ offset }) => offset >= position);
    resolveOffset(messages.at(-1)?.offset ?? batch.lastOffset());
    held.positions.set(partition, BigInt(batch.lastOffset()) + 1n);
    if (news.length === 0) return;
    const handled = this.#options.handler.records(partition, news);
    if (await settlesWithin(handled, patienceMs)) return;
    const resume = pause();
    const resumeIfHeld = (): void => {
      if (this.#held === held) resume();
    };
    void handled.then(resumeIfHeld, resumeIfHeld);
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const { request } = this.#options;
    const held = this.#held;
    const isHeld = [...offsets.keys()].every((partition) => held?.commits(partition));
    if (!held || !isHeld) throw assignmentLost(request.topic);
    if (offsets.size === 0) return;
    try {
      await commitOffsets(held, request, offsets);
    } catch (error) {
      if (isExpelled(error)) this.#lose(held);
      throw error;
    }
  }

  /** Gives up what is held, when the handler has finished it or had its time. */
  giveUp(): Promise<void> {
    const held = this.#held;
    if (!held) return Promise.resolve();
    this.#givingUp ??= this.#drain(held).finally(() => {
      this.#givingUp = undefined;
      if (this.#held === held) this.#held = undefined;
    });
    return this.#givingUp;
  }

  /** What is held is gone: the consumer has crashed. */
  lose(): void {
    if (this.#held) this.#lose(this.#held);
    this.#held = undefined;
  }

  async #drain(held: HeldPartitions): Promise<void> {
    const { request, handler, heartbeatIntervalMs } = this.#options;
    held.stopTaking();
    if (held.partitions.length === 0 || held.isOver) return held.end();
    const stayAlive = async (): Promise<void> => {
      if (!(await isStillMember(held.membership, request.groupId))) this.#lose(held);
    };
    await settlesWithin(stayAlive(), heartbeatIntervalMs);
    if (held.isOver) return;
    // Members are asked to join again, and only while they are heard of is the group waiting.
    const heartbeats = setInterval(() => void stayAlive(), heartbeatIntervalMs);
    const revoked = handler.revoked(held.partitions);
    await settlesWithin(Promise.race([revoked, held.over]), request.drainMs);
    clearInterval(heartbeats);
    held.end();
  }

  #lose(held: HeldPartitions): void {
    if (held.isOver) return;
    held.end();
    if (held.partitions.length > 0) this.#options.handler.lost(held.partitions);
  }
}
