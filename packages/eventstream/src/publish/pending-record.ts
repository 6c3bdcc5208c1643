import { PlatformError } from '@posthaste/contracts';
import type { OutgoingRecord } from '../record.js';
import { headerBytes } from '../record-headers.js';

/**
 * Bytes that a record uses in addition to key, value and headers; about its overhead on the wire.
 */
const overheadBytes = 32;

/** A record, its limits and the functions for its outcome. */
export interface PendingRecordOptions {
  /** As on the wire. */
  readonly topic: string;
  readonly record: OutgoingRecord;
  readonly bytes: number;
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly acceptedAtMs: number;
  /** Aborting it withdraws the record, unless a try is running. */
  readonly signal: AbortSignal | undefined;
  /** Called once, with the outcome. */
  readonly onSettled: (record: PendingRecord, error: PlatformError | undefined) => void;
  readonly resolve: () => void;
  readonly reject: (error: PlatformError) => void;
}

/** A record between acceptance and outcome. It is settled exactly once: acknowledged or failed. */
export class PendingRecord {
  readonly options: PendingRecordOptions;
  #failedTries = 0;
  #maybeStored = false;
  #inFlight = false;
  #settled = false;

  constructor(options: PendingRecordOptions) {
    this.options = options;
    options.signal?.addEventListener('abort', this);
  }

  get bytes(): number {
    return this.options.bytes;
  }

  get acceptedAtMs(): number {
    return this.options.acceptedAtMs;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Handles the abort event. The record is its own listener, which saves a function per record. */
  handleEvent(): void {
    // While a try is running, only the stream knows the outcome: the record stays until the try
    // ends.
    if (!this.#inFlight) this.giveUp(this.options.signal?.reason);
  }

  markInFlight(): void {
    this.#inFlight = true;
  }

  /** Counts a failed try that this record was in, or had to wait for. */
  countFailure(maybeStored: boolean): void {
    this.#failedTries += 1;
    this.#inFlight = false;
    this.#maybeStored ||= maybeStored;
  }

  /** True if the record must be given up after a failed try. */
  isExpired(nowMs: number, minTries: number): boolean {
    const { signal, acceptedAtMs, timeoutMs } = this.options;
    if (signal?.aborted) return true;
    return this.#failedTries >= minTries && nowMs >= acceptedAtMs + timeoutMs;
  }

  acknowledge(): void {
    this.#settle(undefined);
  }

  /** Fails the record, because the stream refuses it for good. */
  fail(error: PlatformError): void {
    if (this.#maybeStored) this.giveUp(error);
    else this.#settle(error);
  }

  /** Gives the record up, because its time is over. `inFlight`: a running try may yet store it. */
  giveUp(cause: unknown, inFlight = false): void {
    const { topic } = this.options;
    const context = { cause, details: { topic } };
    this.#settle(
      this.#maybeStored || inFlight
        ? new PlatformError(
            'EVENT_OUTCOME_UNKNOWN',
            `no answer from topic '${topic}' in time`,
            context,
          )
        : new PlatformError(
            'EVENT_NOT_PUBLISHED',
            `not published to topic '${topic}' in time`,
            context,
          ),
    );
  }

  #settle(error: PlatformError | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    const { signal, onSettled, resolve, reject } = this.options;
    signal?.removeEventListener('abort', this);
    onSettled(this, error);
    if (error === undefined) resolve();
    else reject(error);
  }
}

/** Estimates the bytes of a record. */
export function recordBytes(record: OutgoingRecord): number {
  const { key, value } = record;
  return overheadBytes + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(record);
}
