import type { StoredRecord } from '../record.js';

/** One consumer: a topic and a group, as on the wire. For a retry topic, that topic's name. */
export interface ConsumerName {
  readonly topic: string;
  readonly groupId: string;
}

/**
 * What became of a record: `handled` by all who asked for it, `skipped` because nobody did,
 * `unreadable` and dropped because nobody wants such dead letters, `retried` on a retry topic,
 * `dead` in the dead letters.
 */
export type RecordOutcome = 'handled' | 'skipped' | 'unreadable' | 'retried' | 'dead';

/** Where consumers report: metrics, logs and alarms. Nothing of it may throw. */
export interface ConsumeObserver {
  /** A record is finished. Called once per record, on the hot path. */
  finished(consumer: ConsumerName, record: StoredRecord, outcome: RecordOutcome): void;
  /** A callback failed; `attempt` counts from 1. The record is tried again or moves on. */
  attemptFailed(
    consumer: ConsumerName,
    record: StoredRecord,
    attempt: number,
    error: unknown,
  ): void;
  /**
   * Alarm: a record can neither be handled nor be put away. Its partition stands still, and the
   * write to `topic` is tried again until it succeeds. Called at every failure.
   */
  partitionBlocked(
    consumer: ConsumerName,
    record: StoredRecord,
    topic: string,
    error: unknown,
  ): void;
  /** The write succeeded: the partition goes on. */
  partitionUnblocked(consumer: ConsumerName, record: StoredRecord): void;
  /** Offsets could not be stored; this is tried again. What was handled may come again. */
  commitFailed(consumer: ConsumerName, error: unknown): void;
  /** The stream went away; it comes back by itself. */
  interrupted(consumer: ConsumerName, error: unknown): void;
}

const nothing = (): void => undefined;

/** For consumers that report to nobody. */
export const silentObserver: ConsumeObserver = {
  finished: nothing,
  attemptFailed: nothing,
  partitionBlocked: nothing,
  partitionUnblocked: nothing,
  commitFailed: nothing,
  interrupted: nothing,
};
