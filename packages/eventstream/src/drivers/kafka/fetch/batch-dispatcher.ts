import { PlatformError, settlesWithin } from '@posthaste/contracts';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { SubscriptionHandler } from '../../../driver.js';
import type { PartitionAssignment } from '../group/partition-assignment.js';
import type { FetchedMessage } from './fetched-record.js';

/**
 * Longest time that kafkajs waits for a handler, in ms. It fetches again only when every batch of
 * the last fetch is done, so a partition whose handler takes longer is paused instead.
 */
const handlerWaitMs = 50;

export interface BatchDispatcherOptions {
  readonly topic: string;
  readonly handler: SubscriptionHandler;
  readonly consumer: Pick<Consumer, 'seek'>;
  /** Returns the current assignment. */
  readonly assignment: () => PartitionAssignment | undefined;
}

/** Batch of kafkajs. Its types leave out the offset that was asked for. */
type KafkajsBatch = EachBatchPayload['batch'] & { readonly fetchedOffset: string };

/**
 * A dispatcher of the batches of kafkajs to the handler: per partition one at a time, in order,
 * without gaps, and none of an earlier assignment.
 */
export class BatchDispatcher {
  readonly #options: BatchDispatcherOptions;

  constructor(options: BatchDispatcherOptions) {
    this.#options = options;
  }

  /**
   * Passes a batch to the handler. A failing handler does not make it reject: that would crash the
   * consumer of kafkajs.
   * @throws PlatformError `STREAM_UNAVAILABLE` for a batch that kafkajs has decoded; kafkajs then
   * fetches it again
   */
  async dispatch({ batch, resolveOffset, pause }: EachBatchPayload): Promise<void> {
    const assignment = this.#options.assignment();
    const { partition } = batch;
    if (!assignment?.acceptsRecords(partition)) return;
    const { topic, handler, consumer } = this.#options;
    const fetchedFrom = BigInt((batch as KafkajsBatch).fetchedOffset);
    const position = assignment.positions.get(partition) ?? fetchedFrom;
    if (fetchedFrom > position) {
      // A fetch was under way during a rebalance, from the position before it.
      consumer.seek({ topic, partition, offset: `${position}` });
      return;
    }
    const records = toFetchedMessages(batch);
    // A fetch brings whole batches of the log, so records before the position can come along.
    const isNew = ({ offset }: FetchedMessage): boolean => offset >= position;
    const newRecords = fetchedFrom === position ? records : records.filter(isNew);
    resolveOffset(`${records.at(-1)?.offset ?? batch.lastOffset()}`);
    const next = BigInt(batch.lastOffset()) + 1n;
    assignment.positions.set(partition, next);
    const handled = newRecords.length > 0 ? handler.records(partition, newRecords) : undefined;
    handler.advanced?.(partition, next);
    if (!handled) return;
    if (await settlesWithin(handled, handlerWaitMs)) return;
    const resume = pause();
    const resumeIfCurrent = (): void => {
      if (this.#options.assignment() === assignment) resume();
    };
    void handled.then(resumeIfCurrent, resumeIfCurrent);
  }
}

/**
 * Returns the records as record-decoder.ts has made them. kafkajs makes others when it connects to
 * a broker again between the lookup of the broker, which wraps the request, and the fetch.
 */
function toFetchedMessages({
  topic,
  partition,
  messages,
}: EachBatchPayload['batch']): FetchedMessage[] {
  const records = messages as readonly unknown[] as FetchedMessage[];
  if (records.length === 0 || typeof records[0]?.offset === 'bigint') return records;
  throw new PlatformError(
    'STREAM_UNAVAILABLE',
    `a fetch of ${topic}/${partition} was decoded by kafkajs: it connected to the broker again`,
  );
}
