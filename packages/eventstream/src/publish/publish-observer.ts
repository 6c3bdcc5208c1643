import type { ErrorCode } from '@posthaste/contracts';

/** A batch that was acknowledged. */
export interface WrittenBatch {
  /** As on the wire. */
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
  /** From the acceptance of its first record until it was sent, in milliseconds. */
  readonly waitMs: number;
  /** The try that succeeded, in milliseconds. */
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

/** What a publisher tells about its work, for metrics and logs. None of it may throw. */
export interface PublishObserver {
  batchWritten?(batch: WrittenBatch): void;
  writeFailed?(write: FailedWrite): void;
  /** An event was given up: nobody tries it again. `topic` as on the wire. */
  eventFailed?(topic: string, code: ErrorCode): void;
}
