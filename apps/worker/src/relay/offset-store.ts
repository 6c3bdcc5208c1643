import type { DriverSubscription } from '@posthaste/eventstream';

/**
 * Stores how far a group has come, one request at a time: what is finished meanwhile goes with the
 * next. An offset that is not stored is a repetition after a crash, and nothing worse.
 */
export class OffsetStore {
  readonly #commit: DriverSubscription['commit'];
  readonly #onError: (error: unknown) => void;
  readonly #finished = new Map<number, bigint>();
  #storing: Promise<void> | undefined;

  constructor(commit: DriverSubscription['commit'], onError: (error: unknown) => void) {
    this.#commit = commit;
    this.#onError = onError;
  }

  /** All below `next` is finished. */
  finish(partition: number, next: bigint): void {
    this.#finished.set(partition, next);
    this.#storing ??= this.#store().finally(() => {
      this.#storing = undefined;
    });
  }

  /** The partition is another's: what of it is not stored will not be. */
  forget(partition: number): void {
    this.#finished.delete(partition);
  }

  /** Resolves when everything finished so far is stored, or could not be. */
  async settled(): Promise<void> {
    await this.#storing;
  }

  async #store(): Promise<void> {
    while (this.#finished.size > 0) {
      const offsets = new Map(this.#finished);
      this.#finished.clear();
      await this.#commit(offsets).catch((error: unknown) => this.#onError(error));
    }
  }
}
