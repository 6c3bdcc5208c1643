import { GroupCommit } from './group-commit.js';
import {
  type PublishOutcome,
  type PublishTarget,
  publishOnce,
  type SubmittedEvent,
} from './publish-once.js';

/** Options of a `PublishBatcher`. */
export interface PublishBatcherOptions {
  /** Keys and values that may wait for the database, in bytes; more are refused. Default 67,108,864. */
  readonly maxWaitingBytes?: number | undefined;
}

/** Group commit of events: calls that come at the same time share a transaction and its flush. */
export class PublishBatcher {
  readonly #calls: GroupCommit<SubmittedEvent, PublishOutcome>;

  constructor(target: PublishTarget, { maxWaitingBytes }: PublishBatcherOptions = {}) {
    const commit = (events: readonly SubmittedEvent[]) => publishOnce(target, events);
    this.#calls = new GroupCommit({ commit, maxWaitingBytes });
  }

  /**
   * Publishes events as `publishOnce` does, in a transaction that other calls may share.
   * @throws PlatformError `DATABASE_*`, `OVERLOADED`, `STOPPING`
   */
  publish(events: readonly SubmittedEvent[]): Promise<readonly PublishOutcome[]> {
    const bytes = events.reduce((sum, { event }) => sum + event.key.length + event.value.length, 0);
    return this.#calls.store(events, bytes);
  }

  /** Publishes what waits, and refuses further calls. Idempotent. */
  close(): Promise<void> {
    return this.#calls.close();
  }
}
