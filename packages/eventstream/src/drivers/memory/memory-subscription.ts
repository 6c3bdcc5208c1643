import { newId, PlatformError, withTimeout } from '@posthaste/contracts';
import type { DriverSubscription, SubscriptionHandler, SubscriptionRequest } from '../../driver.js';

import type { FaultQueue } from './faults.js';
import type { PartitionLog } from './partition-log.js';
import { PartitionReader } from './partition-reader.js';

/** The consumer group of a subscription. */
export interface SubscribedGroup {
  commit(offsets: ReadonlyMap<number, bigint>): void;
  /** Returns the offset at which reading begins. */
  begin(partition: number, log: PartitionLog, startOffset: bigint): bigint;
  leave(subscription: MemorySubscription): void;
}

/** Options of a subscription in memory. */
export interface MemorySubscriptionOptions {
  readonly group: SubscribedGroup;
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly batchSize: number;
  readonly isAvailable: () => boolean;
  readonly commitFaults: FaultQueue;
}

/**
 * A member of a group on a stream in memory. It owns a partition from `assign` until `release` or
 * `lose` has ended.
 */
export class MemorySubscription implements DriverSubscription {
  /** Orders the members of a group. A static member has its instance id. */
  readonly id: string;
  readonly #options: MemorySubscriptionOptions;
  readonly #readers = new Map<number, PartitionReader>();
  #releasing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MemorySubscriptionOptions) {
    this.id = options.request.groupInstanceId ?? newId();
    this.#options = options;
  }

  owns(partition: number): boolean {
    return this.#readers.has(partition);
  }

  assign(partitions: readonly number[], logs: readonly PartitionLog[]): void {
    if (this.#closing || partitions.length === 0) return;
    const { group, handler, request, batchSize, isAvailable } = this.#options;
    handler.assigned(partitions);
    for (const partition of partitions) {
      const log = logs[partition];
      if (log === undefined) continue;
      const from = group.begin(partition, log, request.startOffset);
      const options = { partition, log, from, batchSize, handler, isAvailable };
      this.#readers.set(partition, new PartitionReader(options));
    }
  }

  /** Gives all partitions up, once the handler has finished with them or its time is over. */
  release(): Promise<void> {
    this.#releasing ??= this.#revoke().finally(() => {
      this.#releasing = undefined;
    });
    return this.#releasing;
  }

  /** Loses all partitions at once. */
  lose(): void {
    const partitions = this.#stopReaders();
    this.#readers.clear();
    if (partitions.length > 0) this.#options.handler.lost(partitions);
  }

  /** Ends a static member, because another one with its instance id has joined. */
  fence(): void {
    this.#closing ??= Promise.resolve();
    this.lose();
    const reason = `another member joined with the instance id '${this.id}'`;
    this.#options.handler.interrupted(new PlatformError('STREAM_ASSIGNMENT_LOST', reason));
  }

  interrupt(error: PlatformError): void {
    this.#options.handler.interrupted(error);
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    const { group, request, isAvailable, commitFaults } = this.#options;
    if (!isAvailable()) throw new PlatformError('STREAM_UNAVAILABLE', 'the stream is stopped');
    for (const partition of offsets.keys()) {
      if (this.owns(partition)) continue;
      const reason = `this consumer does not own partition ${partition} of '${request.topic}'`;
      throw new PlatformError('STREAM_ASSIGNMENT_LOST', reason);
    }
    commitFaults.run(request.topic, () => group.commit(offsets));
  }

  close(): Promise<void> {
    this.#closing ??= this.release().then(() => this.#options.group.leave(this));
    return this.#closing;
  }

  async #revoke(): Promise<void> {
    const partitions = this.#stopReaders();
    if (partitions.length === 0) return;
    const { handler, request } = this.#options;
    await withTimeout(handler.revoked(partitions), request.drainMs, () => undefined);
    this.#readers.clear();
  }

  #stopReaders(): readonly number[] {
    for (const reader of this.#readers.values()) reader.stop();
    return [...this.#readers.keys()];
  }
}
