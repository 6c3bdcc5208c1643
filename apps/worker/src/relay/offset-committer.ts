import type { DriverSubscription } from '@posthaste/eventstream';

/**
 * Committer of a group's offsets. It sends one commit at a time; offsets that are added meanwhile go
 * with the next one. An offset that is not committed makes records repeat after a crash, no more.
 */
export class OffsetCommitter {
  readonly #commit: DriverSubscription['commit'];
  readonly #onError: (error: unknown) => void;
  /** Offset to commit, by partition. */
  readonly #pending = new Map<number, bigint>();
  #committing: Promise<void> | undefined;

  constructor(commit: DriverSubscription['commit'], onError: (error: unknown) => void) {
    this.#commit = commit;
    this.#onError = onError;
  }

  /** Commits that all records below `next` are done. */
  commitUpTo(partition: number, next: bigint): void {
    this.#pending.set(partition, next);
    this.#committing ??= this.#commitAll().finally(() => {
      this.#committing = undefined;
    });
  }

  /** Drops the pending offset of a partition that now belongs to another worker. */
  forget(partition: number): void {
    this.#pending.delete(partition);
  }

  /** Resolves when every offset added so far is committed or has failed. */
  async idle(): Promise<void> {
    await this.#committing;
  }

  async #commitAll(): Promise<void> {
    while (this.#pending.size > 0) {
      const offsets = new Map(this.#pending);
      this.#pending.clear();
      await this.#commit(offsets).catch((error: unknown) => this.#onError(error));
    }
  }
}
