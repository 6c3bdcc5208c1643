import { settlesWithin } from '@posthaste/contracts';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { SubscriptionHandler } from '../../../driver.js';
import type { PartitionAssignment } from '../group/partition-assignment.js';
import { FetchedRecord } from './fetched-record.js';
import { KafkaRecord } from './kafka-record.js';

/** Longer than this, and the partition is paused for the others' sake. */
const patienceMs = 50;

export interface BatchQueueOptions {
  readonly topic: string;
  readonly handler: SubscriptionHandler;
  readonly consumer: Pick<Consumer, 'seek'>;
  /** The assignment that holds now. */
  readonly held: () => PartitionAssignment | undefined;
}

/** kafkajs's types leave out where a batch was fetched from. */
type FetchedBatch = EachBatchPayload['batch'] & { readonly fetchedOffset: string };

/**
 * Hands on what kafkajs fetched if it is of the assignment that holds now: in order, without gaps,
 * and nothing of an earlier one. Never rejects, so that kafkajs has no part in a handler's failure.
 */
export class BatchQueue {
  readonly #options: BatchQueueOptions;

  constructor(options: BatchQueueOptions) {
    this.#options = options;
  }

  async push({ batch, resolveOffset, pause }: EachBatchPayload): Promise<void> {
    const held = this.#options.held();
    const { partition, messages } = batch;
    if (!held?.acceptsRecords(partition)) return;
    const { topic, handler, consumer } = this.#options;
    const from = BigInt((batch as FetchedBatch).fetchedOffset);
    const position = held.positions.get(partition) ?? from;
    if (from > position) {
      // A fetch that was under way during a rebalance, from where this consumer was before it.
      consumer.seek({ topic, partition, offset: `${position}` });
      return;
    }
    const records = messages.map((message: unknown) =>
      message instanceof FetchedRecord
        ? message
        : new KafkaRecord(topic, partition, message as KafkaMessage),
    );
    const news = from === position ? records : records.filter(({ offset }) => offset >= position);
    resolveOffset(messages.at(-1)?.offset ?? batch.lastOffset());
    held.positions.set(partition, BigInt(batch.lastOffset()) + 1n);
    if (news.length === 0) return;
    const handled = handler.records(partition, news);
    if (await settlesWithin(handled, patienceMs)) return;
    const resume = pause();
    const resumeIfHeld = (): void => {
      if (this.#options.held() === held) resume();
    };
    void handled.then(resumeIfHeld, resumeIfHeld);
  }
}
