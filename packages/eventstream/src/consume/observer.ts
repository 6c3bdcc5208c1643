import type { LostRange } from '../driver.js';
import type { StoredRecord } from '../record.js';

/**
 * Name of a consumer: a topic and a group, as on the wire. For a retry topic, that topic's name.
 */
export interface ConsumerName {
  readonly topic: string;
  readonly groupId: string;
}

/**
 * Final state of a record. `handled`: by all subscriber groups that asked for it; `skipped`: no
 * group asked for it; `unreadable`: dropped, because no subscription wants such dead letters;
 * `retried`: written to a retry topic; `dead`: written to the dead letters.
 */
export type RecordOutcome = 'handled' | 'skipped' | 'unreadable' | 'retried' | 'dead';

/** A call of a handler that failed. The record is tried again or moves to another topic. */
export interface FailedCall {
  readonly record: StoredRecord;
  /** Number of the call, from 1. */
  readonly attempt: number;
  readonly error: unknown;
}

/** A write to a dead letter or retry topic that failed. */
export interface BlockedWrite {
  readonly record: StoredRecord;
  /** The dead letter or retry topic. */
  readonly topic: string;
  readonly error: unknown;
}

/** Records of one partition that retention deleted before they were read. */
export interface LostRecords extends LostRange {
  readonly partition: number;
}

/** Observer of consumers, for metrics, logs and alarms. Its methods must not throw. */
export interface ConsumeObserver {
  /** A record is finished. Called once per record, on the hot path. */
  finished(consumer: ConsumerName, record: StoredRecord, outcome: RecordOutcome): void;
  callFailed(consumer: ConsumerName, call: FailedCall): void;
  /**
   * Alarm: a record can neither be handled nor be written to a dead letter or retry topic. Its
   * partition is blocked, and the write is tried again until it succeeds. Called at every failure.
   */
  partitionBlocked(consumer: ConsumerName, write: BlockedWrite): void;
  /** The write succeeded: the partition is no longer blocked. */
  partitionUnblocked(consumer: ConsumerName, record: StoredRecord): void;
  /** A commit failed and is tried again. Handled records may be delivered again. */
  commitFailed(consumer: ConsumerName, error: unknown): void;
  /** Retention deleted records before they were read. */
  recordsLost(consumer: ConsumerName, lost: LostRecords): void;
  /** The connection to the stream was interrupted. The driver recovers by itself. */
  interrupted(consumer: ConsumerName, error: unknown): void;
}

const nothing = (): void => undefined;

/** An observer that does nothing. */
export const silentObserver: ConsumeObserver = {
  finished: nothing,
  callFailed: nothing,
  partitionBlocked: nothing,
  partitionUnblocked: nothing,
  commitFailed: nothing,
  recordsLost: nothing,
  interrupted: nothing,
};
