import { PlatformError } from '@posthaste/contracts';

/** Items of one transaction, unless one call has more. */
const maxBatchItems = 500;
/** Bytes of one transaction, unless one call has more. */
const maxBatchBytes = 4 * 1_048_576;

/** Options of a `GroupCommit`. */
export interface GroupCommitOptions<Item, Outcome> {
  /**
   * Stores the items of one or more calls in one transaction. Returns an outcome for each, in their
   * order. It is called again with fewer items when it rejects for a reason that may lie in one of
   * them.
   */
  readonly commit: (items: readonly Item[]) => Promise<readonly Outcome[]>;
  /** Bytes that may wait for the database; more are refused. Default 67,108,864. */
  readonly maxWaitingBytes?: number | undefined;
  /**
   * Transactions at the same time. With two, one is filled while the other is flushed; with one, calls
   * are committed in their order. Default 2.
   */
  readonly maxTransactions?: number | undefined;
}

/** Call whose items wait. */
interface PendingCall<Item, Outcome> {
  readonly items: readonly Item[];
  readonly bytes: number;
  readonly resolve: (outcomes: readonly Outcome[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Group commit: calls that come at the same time share a transaction and its flush. */
export class GroupCommit<Item, Outcome> {
  readonly #commit: GroupCommitOptions<Item, Outcome>['commit'];
  readonly #maxWaitingBytes: number;
  readonly #maxTransactions: number;
  #waiting: PendingCall<Item, Outcome>[] = [];
  #waitingBytes = 0;
  #transactions = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor({
    commit,
    maxWaitingBytes = 64 * 1_048_576,
    maxTransactions = 2,
  }: GroupCommitOptions<Item, Outcome>) {
    this.#commit = commit;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#maxTransactions = maxTransactions;
  }

  /**
   * Stores items of `bytes` together, in a transaction that other calls may share.
   * @throws PlatformError `OVERLOADED`, `STOPPING`, and the errors of `commit`
   */
  async store(items: readonly Item[], bytes: number): Promise<readonly Outcome[]> {
    if (this.#closed) throw new PlatformError('STOPPING', 'the server is stopping');
    if (this.#waitingBytes > this.#maxWaitingBytes) {
      throw new PlatformError('OVERLOADED', 'too many events wait for the database');
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      // Not at once: calls of the same turn of the event loop join the batch.
      if (this.#waiting.length === 1) setImmediate(() => this.#startTransactions());
    });
  }

  /** Stores what waits, and refuses further calls. Idempotent. */
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
    while (this.#waiting.length > 0 && this.#transactions < this.#maxTransactions) {
      this.#transactions += 1;
      void this.#commitCalls(this.#takeBatch()).then(() => {
        this.#transactions -= 1;
        this.#startTransactions();
      });
    }
    if (this.#transactions === 0) this.#onIdle?.();
  }

  /** Removes the calls that have waited longest, as many as fit into one transaction. */
  #takeBatch(): readonly PendingCall<Item, Outcome>[] {
    let count = 0;
    let items = 0;
    let bytes = 0;
    for (const call of this.#waiting) {
      items += call.items.length;
      bytes += call.bytes;
      if (count > 0 && (items > maxBatchItems || bytes > maxBatchBytes)) break;
      this.#waitingBytes -= call.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #commitCalls(calls: readonly PendingCall<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#commit(calls.flatMap(({ items }) => items));
      let start = 0;
      for (const { items, resolve } of calls) {
        resolve(outcomes.slice(start, start + items.length));
        start += items.length;
      }
    } catch (error) {
      if (calls.length > 1 && mayConcernOneCall(error)) {
        // One after the other, so that events of one key keep their order.
        for (const call of calls) await this.#commitCalls([call]);
      } else for (const { reject } of calls) reject(error);
    }
  }
}

/** True if nothing was stored, and one call of the batch alone may be the cause. */
function mayConcernOneCall(error: unknown): boolean {
  return !(error instanceof PlatformError) || error.type === 'internal' || error.type === 'invalid';
}
