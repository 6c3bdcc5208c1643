import { withTimeout } from '@posthaste/contracts';
import type { SubscriptionHandler } from '../../../driver.js';
import type { CommitRow } from './member-store.js';
import type { ShardReader } from './shard-reader.js';

/**
 * The partitions that a consumer has. One that is being given back is still the consumer's to
 * commit, and nothing more is read of it.
 */
export class OwnedShards {
  readonly #handler: SubscriptionHandler;
  readonly #readers = new Map<number, ShardReader>();
  readonly #leaving = new Map<number, Promise<void>>();

  constructor(handler: SubscriptionHandler) {
    this.#handler = handler;
  }

  get readers(): readonly ShardReader[] {
    return [...this.#readers.values()];
  }

  /** Shards of all, those being given back included. */
  get shards(): readonly number[] {
    return this.readers.map(({ name }) => name.shard);
  }

  /** Partitions that are not being given back. */
  get staying(): readonly number[] {
    return [...this.#readers.keys()].filter((partition) => !this.#leaving.has(partition));
  }

  /** How many are being given back. */
  get leavingCount(): number {
    return this.#leaving.size;
  }

  assign(readers: readonly ShardReader[]): void {
    if (readers.length === 0) return;
    for (const reader of readers) this.#readers.set(reader.name.partition, reader);
    this.#handler.assigned(readers.map(({ name }) => name.partition));
  }

  /** What of these offsets can be committed, with the epochs under which the records were read. */
  toCommitRows(offsets: ReadonlyMap<number, bigint>): CommitRow[] {
    return [...offsets].flatMap(([partition, offset]) => {
      const reader = this.#readers.get(partition);
      return reader ? [{ shard: reader.name.shard, epoch: reader.epoch, offset }] : [];
    });
  }

  /**
   * Takes partitions from the handler, which may finish what it has in hand within `drainMs`.
   * @returns the shards that are to be let go
   */
  revoke(partitions: readonly number[], drainMs: number): Promise<readonly number[]> {
    const readers = partitions.flatMap((partition) => this.#readers.get(partition) ?? []);
    for (const reader of readers) reader.stop();
    const drained = this.#drain(partitions, drainMs);
    for (const partition of partitions) this.#leaving.set(partition, drained);
    return drained.then(() => {
      for (const partition of partitions) {
        if (this.#leaving.get(partition) === drained) this.#leaving.delete(partition);
      }
      // One that was lost meanwhile, and is this consumer's again, is not the one to let go.
      const kept = readers.filter((reader) => this.#readers.get(reader.name.partition) === reader);
      for (const { name } of kept) this.#readers.delete(name.partition);
      return kept.map(({ name }) => name.shard);
    });
  }

  /** Resolves when nothing is being given back any more. */
  async settled(): Promise<void> {
    while (this.#leaving.size > 0) await Promise.all(this.#leaving.values());
  }

  /** These shards are another's. A handler that is just giving one back learns it from its commit. */
  lose(shards: readonly number[]): void {
    const lost = this.readers.filter(({ name }) => shards.includes(name.shard));
    for (const reader of lost) {
      reader.stop();
      this.#readers.delete(reader.name.partition);
    }
    const partitions = lost.map(({ name }) => name.partition);
    const told = partitions.filter((partition) => !this.#leaving.delete(partition));
    if (told.length > 0) this.#handler.lost(told);
  }

  async #drain(partitions: readonly number[], drainMs: number): Promise<void> {
    await withTimeout(this.#handler.revoked(partitions), drainMs, () => undefined);
  }
}
