import { withTimeout } from '@posthaste/contracts';
import type { SubscriptionHandler } from '../../../driver.js';
import type { CommitRow } from './member-store.js';
import type { ShardReader } from './shard-reader.js';

/**
 * The shards that a consumer owns, each with its reader. A shard that is being revoked is not read
 * any more, but the consumer can still commit it.
 */
export class OwnedShards {
  readonly #handler: SubscriptionHandler;
  /** By partition. */
  readonly #readers = new Map<number, ShardReader>();
  /** Drains of the partitions that are being revoked. */
  readonly #revoking = new Map<number, Promise<void>>();

  constructor(handler: SubscriptionHandler) {
    this.#handler = handler;
  }

  get readers(): readonly ShardReader[] {
    return [...this.#readers.values()];
  }

  /** All shards, including those that are being revoked. */
  get shards(): readonly number[] {
    return this.readers.map(({ name }) => name.shard);
  }

  /** Partitions that are not being revoked. */
  get keptPartitions(): readonly number[] {
    return [...this.#readers.keys()].filter((partition) => !this.#revoking.has(partition));
  }

  /** Number of partitions that are being revoked. */
  get revokingCount(): number {
    return this.#revoking.size;
  }

  /** Adds shards and assigns their partitions to the handler. */
  assign(readers: readonly ShardReader[]): void {
    if (readers.length === 0) return;
    for (const reader of readers) this.#readers.set(reader.name.partition, reader);
    this.#handler.assigned(readers.map(({ name }) => name.partition));
  }

  /** Returns the offsets that can be committed, with the epochs in which the records were read. */
  toCommitRows(offsets: ReadonlyMap<number, bigint>): CommitRow[] {
    return [...offsets].flatMap(([partition, offset]) => {
      const reader = this.#readers.get(partition);
      return reader ? [{ shard: reader.name.shard, epoch: reader.epoch, offset }] : [];
    });
  }

  /**
   * Revokes partitions from the handler, which may finish received records within `drainMs`.
   * @returns the shards to release
   */
  revoke(partitions: readonly number[], drainMs: number): Promise<readonly number[]> {
    const readers = partitions.flatMap((partition) => this.#readers.get(partition) ?? []);
    for (const reader of readers) reader.stop();
    const drained = this.#drain(partitions, drainMs);
    for (const partition of partitions) this.#revoking.set(partition, drained);
    return drained.then(() => {
      for (const partition of partitions) {
        if (this.#revoking.get(partition) === drained) this.#revoking.delete(partition);
      }
      // A shard that was lost and acquired again in the meantime must not be released.
      const kept = readers.filter((reader) => this.#readers.get(reader.name.partition) === reader);
      for (const { name } of kept) this.#readers.delete(name.partition);
      return kept.map(({ name }) => name.shard);
    });
  }

  /** Resolves when no partition is being revoked. */
  async whenRevoked(): Promise<void> {
    while (this.#revoking.size > 0) await Promise.all(this.#revoking.values());
  }

  /**
   * Removes shards that another consumer owns now, and reports their partitions to the handler. A
   * partition that is being revoked is not reported: the commit of it fails.
   */
  lose(shards: readonly number[]): void {
    const lost = this.readers.filter(({ name }) => shards.includes(name.shard));
    for (const reader of lost) {
      reader.stop();
      this.#readers.delete(reader.name.partition);
    }
    const partitions = lost.map(({ name }) => name.partition);
    const reported = partitions.filter((partition) => !this.#revoking.delete(partition));
    if (reported.length > 0) this.#handler.lost(reported);
  }

  async #drain(partitions: readonly number[], drainMs: number): Promise<void> {
    await withTimeout(this.#handler.revoked(partitions), drainMs, () => undefined);
  }
}
