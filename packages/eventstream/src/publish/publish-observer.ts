import type { ErrorCode } from '@posthaste/contracts';

/** A batch that was acknowledged. */
export interface WrittenBatch {
  /** As on the wire. */
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
  /** From the acceptance of the first record until the batch was sent, in ms. */
  readonly waitMs: number;
  /** Duration of the try that succeeded, in ms. */
  readonly writeMs: number;
}

/** A try that failed. */
export interface FailedWrite {
  /** As on the wire. */
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly code: ErrorCode;
}

/** Observer of a publisher, for metrics and logs. Its methods must not throw. */
export interface PublishObserver {
  batchWritten?(batch: WrittenBatch): void;
  writeFailed?(write: FailedWrite): void;
  /** An event was given up and is not tried again. `topic` is as on the wire. */
  eventFailed?(topic: string, code: ErrorCode): void;
}
