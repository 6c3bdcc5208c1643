import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@posthaste/contracts';
import type {
  DriverSubscription,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../../driver.js';
import { toPlatformError } from '../connection/kafka-errors.js';
import { assignmentLost } from './member-requests.js';

const backoff = { initialMs: 100, maxMs: 3_000 };
/** A consumer that lived so long was in order: its successor starts at once. */
const healthyMs = 30_000;

/** What a subscription remembers from one consumer to the next. */
export interface SubscriptionMemory {
  /** Partitions that the topic had when it was first looked at; 0: it was missing. */
  initialPartitions: number | undefined;
  /** Its place in the group, from joining until it has left. */
  memberId: string | undefined;
}

/** The life of one consumer of a client library, until it crashes or is closed. */
export interface GroupSession {
  /** Resolves when it is over: with the reason, or undefined when it was closed. Never rejects. */
  run(): Promise<unknown>;
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Gives up what is held; `run` leaves the group and resolves then. */
  close(): Promise<void>;
}

export interface KafkaSubscriptionOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly createSession: (memory: SubscriptionMemory) => GroupSession;
}

/** One place in a consumer group, held by one consumer of the client library after the other. */
export class KafkaSubscription implements DriverSubscription {
  readonly #options: KafkaSubscriptionOptions;
  readonly #memory: SubscriptionMemory = {
    initialPartitions: undefined,
    memberId: undefined,
  };
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #session: GroupSession | undefined;

  constructor(options: KafkaSubscriptionOptions) {
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
    const { request, handler, createSession } = this.#options;
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      this.#session = createSession(this.#memory);
      const reason = await this.#session.run();
      this.#session = undefined;
      if (signal.aborted) return;
      const failure = toPlatformError(reason, `consume ${request.topic}`);
      if (failure.code === 'TOPIC_NOT_FOUND') this.#memory.initialPartitions ??= 0;
      handler.interrupted(failure);
      failures = performance.now() - startedAt > healthyMs ? 1 : failures + 1;
      await sleep(backoffMs(failures, backoff, Math.random()), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }
}
