import { PlatformError } from '@posthaste/contracts';
import {
  type PublishOutcome,
  type PublishTarget,
  publishOnce,
  type SubmittedEvent,
} from './publish-once.js';

/** Events of one transaction, unless one call has more. */
const maxBatchEvents = 500;
/** Keys and values of one transaction, in bytes, unless one call has more. */
const maxBatchBytes = 4 * 1_048_576;
/** Transactions at the same time: one is filled while the other is flushed. */
const maxTransactions = 2;

/** Options of a `PublishBatcher`. */
export interface PublishBatcherOptions {
  /** Keys and values that may wait for the database, in bytes; more are refused. Default 67,108,864. */
  readonly maxWaitingBytes?: number | undefined;
}

/** Call of `publish` whose events wait. */
interface PendingCall {
  readonly events: readonly SubmittedEvent[];
  readonly bytes: number;
  readonly resolve: (outcomes: readonly PublishOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit of events: calls that come at the same time share a transaction and its flush. */
export class PublishBatcher {
  readonly #target: PublishTarget;
  readonly #maxWaitingBytes: number;
  #waiting: PendingCall[] = [];
  #waitingBytes = 0;
  #transactions = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(
    target: PublishTarget,
    { maxWaitingBytes = 64 * 1_048_576 }: PublishBatcherOptions = {},
  ) {
    this.#target = target;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /**
   * Publishes events as `publishOnce` does, in a transaction that other calls may share.
   * @throws PlatformError `DATABASE_*`, `OVERLOADED`, `STOPPING`
   */
  async publish(events: readonly SubmittedEvent[]): Promise<readonly PublishOutcome[]> {
    if (this.#closed) throw new PlatformError('STOPPING', 'the server is stopping');
    if (this.#waitingBytes > this.#maxWaitingBytes) {
      throw new PlatformError('OVERLOADED', 'too many events wait for the database');
    }
    const bytes = events.reduce((sum, { event }) => sum + event.key.length + event.value.length, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      // Not at once: calls of the same turn of the event loop join the batch.
      if (this.#waiting.length === 1) setImmediate(() => this.#startTransactions());
    });
  }

  /** Publishes what waits, and refuses further calls. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#transactions === 0 && this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => {
      const earlier = this.#onIdle;
      this.#onIdle = () => {
        earlier?.();
        resolve();
      };
    });
  }

  #startTransactions(): void {
    while (this.#waiting.length > 0 && this.#transactions < maxTransactions) {
      this.#transactions += 1;
      void this.#publishBatch(this.#takeBatch()).then(() => {
        this.#transactions -= 1;
        this.#startTransactions();
      });
    }
    if (this.#transactions === 0) this.#onIdle?.();
  }

  /** Removes the calls that have waited longest, as many as fit into one transaction. */
  #takeBatch(): readonly PendingCall[] {
    let count = 0;
    let events = 0;
    let bytes = 0;
    for (const call of this.#waiting) {
      events += call.events.length;
      bytes += call.bytes;
      if (count > 0 && (events > maxBatchEvents || bytes > maxBatchBytes)) break;
      this.#waitingBytes -= call.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #publishBatch(calls: readonly PendingCall[]): Promise<void> {
    try {
      const outcomes = await publishOnce(
        this.#target,
        calls.flatMap(({ events }) => events),
      );
      let start = 0;
      for (const { events, resolve } of calls) {
        resolve(outcomes.slice(start, start + events.length));
        start += events.length;
      }
    } catch (error) {
      if (calls.length > 1 && mayConcernOneCall(error)) {
        // One after the other, so that events of one key keep their order.
        for (const call of calls) await this.#publishBatch([call]);
      } else for (const { reject } of calls) reject(error);
    }
  }
}

/** True if nothing was stored, and one call of the batch alone may be the cause. */
function mayConcernOneCall(error: unknown): boolean {
  return !(error instanceof PlatformError) || error.type === 'internal' || error.type === 'invalid';
}
