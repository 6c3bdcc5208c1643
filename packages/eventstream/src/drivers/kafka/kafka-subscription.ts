import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverSubscription } from '../../driver.js';
import {
  GroupSession,
  type GroupSessionOptions,
  type SubscriptionMemory,
} from './group-session.js';
import { toPlatformError } from './kafka-failure.js';
import { assignmentLost } from './member-requests.js';

const firstBackoffMs = 100;
const maxBackoffMs = 3_000;
/** A consumer that lived so long was in order: its successor starts at once. */
const healthyMs = 30_000;

/** One place in a consumer group, held by one kafkajs consumer after the other. */
export class KafkaSubscription implements DriverSubscription {
  readonly #options: Omit<GroupSessionOptions, 'memory'>;
  readonly #memory: SubscriptionMemory = {
    initialPartitions: undefined,
    memberId: undefined,
  };
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #session: GroupSession | undefined;

  constructor(options: Omit<GroupSessionOptions, 'memory'>) {
    this.#options = options;
    this.#ended = this.#keepRunning();
  }

  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    if (!this.#session) throw assignmentLost(this.#options.request.topic);
    await this.#session.commit(offsets);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session?.close();
    await this.#ended;
  }

  async #keepRunning(): Promise<void> {
    const { request, handler } = this.#options;
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      this.#session = new GroupSession({ ...this.#options, memory: this.#memory });
      const reason = await this.#session.run();
      this.#session = undefined;
      if (signal.aborted) return;
      const failure = toPlatformError(reason, `consume ${request.topic}`);
      if (failure.code === 'TOPIC_NOT_FOUND') this.#memory.initialPartitions ??= 0;
      handler.interrupted(failure);
      failures = performance.now() - startedAt > healthyMs ? 1 : failures + 1;
      await sleep(backoffMs(failures), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Half fixed, half random: consumers that failed together do not return together. */
function backoffMs(failures: number): number {
  const ceiling = Math.min(maxBackoffMs, firstBackoffMs * 2 ** (failures - 1));
  return (ceiling / 2) * (1 + Math.random());
}
