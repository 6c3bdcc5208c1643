import { PlatformError } from '@posthaste/contracts';
import type { OutgoingRecord } from '../record.js';

/** Bytes that a record costs beside its key, value and headers; roughly what it costs on the wire. */
const overheadBytes = 32;

export interface PendingRecordOptions {
  /** As on the wire. */
  readonly topic: string;
  readonly record: OutgoingRecord;
  readonly bytes: number;
  readonly timeoutMs: number;
  /** Milliseconds since 1970. */
  readonly acceptedAtMs: number;
  /** Takes the record back, unless a try is running. */
  readonly signal: AbortSignal | undefined;
  /** The outcome, once. */
  readonly onSettled: (record: PendingRecord, error: PlatformError | undefined) => void;
  readonly resolve: () => void;
  readonly reject: (error: PlatformError) => void;
}

/** A record between acceptance and outcome. Settled exactly once: acknowledged or failed. */
export class PendingRecord {
  readonly options: PendingRecordOptions;
  #failedTries = 0;
  #maybeStored = false;
  #underWay = false;
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

  /** It is its own abort listener, which saves a function for each record. */
  handleEvent(): void {
    // While a try is running only the stream knows: it stays until that has an outcome.
    if (!this.#underWay) this.giveUp(this.options.signal?.reason);
  }

  markInFlight(): void {
    this.#underWay = true;
  }

  /** A try failed that this record was in, or had to wait for. */
  countFailure(maybeStored: boolean): void {
    this.#failedTries += 1;
    this.#underWay = false;
    this.#maybeStored ||= maybeStored;
  }

  /** Whether it is time to give it up after a failed try. */
  isExpired(nowMs: number, minTries: number): boolean {
    const { signal, acceptedAtMs, timeoutMs } = this.options;
    if (signal?.aborted) return true;
    return this.#failedTries >= minTries && nowMs >= acceptedAtMs + timeoutMs;
  }

  acknowledge(): void {
    this.#settle(undefined);
  }

  /** The stream refuses it for good. */
  fail(error: PlatformError): void {
    if (this.#maybeStored) this.giveUp(error);
    else this.#settle(error);
  }

  /** Its time is over. `underWay`: a try is not finished, and may yet store it. */
  giveUp(cause: unknown, underWay = false): void {
    const { topic } = this.options;
    const context = { cause, details: { topic } };
    this.#settle(
      this.#maybeStored || underWay
        ? new PlatformError('EVENT_OUTCOME_UNKNOWN', `no answer from ${topic} in time`, context)
        : new PlatformError('EVENT_NOT_PUBLISHED', `not published to ${topic} in time`, context),
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

/** Lengths of header texts count as characters: close enough to bound memory, and cheap. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = overheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0);
  return bytes;
}
