/**
 * How a subscription lives, whichever client library it uses:
 *
 * 1. `KafkaSubscription` runs one session after the other: a session is the life of one consumer of
 *    the library, from its first connection until it crashes or is closed. Failures are followed by
 *    a backoff.
 * 2. A session joins the group (group-coordinator.ts for kafkajs). Each join begins a new
 *    assignment (partition-assignment.ts), and reading starts at the committed offsets, or where
 *    the subscription asks (group-offsets.ts).
 * 3. Before the next rebalance, and when it closes, the session revokes the assignment: the handler
 *    finishes its records and commits (consumer-assignments.ts).
 *
 * Committed offsets go from consume/committer.ts to `KafkaSubscription.commit`, which is
 * `ConsumerAssignments.commit`: it refuses partitions that are not assigned, retries, and calls
 * `GroupGeneration.commit`, the OffsetCommit request of the client library (`toGeneration` in
 * group-coordinator.ts and in platformatic/platformatic-group.ts).
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@posthaste/contracts';
import type {
  DriverSubscription,
  SubscriptionHandler,
  SubscriptionRequest,
} from '../../../driver.js';
import { toPlatformError } from '../connection/kafka-errors.js';
import { ConsumerAssignments } from './consumer-assignments.js';

const backoff = { initialMs: 100, maxMs: 3_000 };
/** Lifetime of a session, in ms, after which its failure counts as the first one again. */
const healthyMs = 30_000;

/** State of a subscription that a session works on, and its successor starts with a copy of. */
export interface SubscriptionState {
  /** Number of partitions of the topic when it was first looked up; 0 if it was missing. */
  initialPartitions: number | undefined;
  /** Id of the member in the group, from its join until it has left. */
  memberId: string | undefined;
}

/** Parts of a subscription that a session works with. */
export interface SessionContext {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  /** Assignments of this session alone. */
  readonly assignments: ConsumerAssignments;
  /** Copy for this session alone. */
  readonly state: SubscriptionState;
}

/** The life of one consumer of a client library, until it crashes or is closed. */
export interface GroupSession {
  /** Resolves at its end: with the failure, or undefined if it was closed. Never rejects. */
  run(): Promise<unknown>;
  /** Revokes the assignment; then `run` leaves the group and resolves. */
  close(): Promise<void>;
}

export interface KafkaSubscriptionOptions {
  readonly request: SubscriptionRequest;
  readonly handler: SubscriptionHandler;
  readonly heartbeatIntervalMs: number;
  readonly createSession: (context: SessionContext) => GroupSession;
}

/** A subscription that runs one consumer of the client library after the other. */
export class KafkaSubscription implements DriverSubscription {
  readonly #options: KafkaSubscriptionOptions;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  /** Context of the current session, or of the next one. */
  #context: SessionContext;
  #session: GroupSession | undefined;

  constructor(options: KafkaSubscriptionOptions) {
    this.#options = options;
    this.#context = createContext(options, { initialPartitions: undefined, memberId: undefined });
    this.#ended = this.#keepRunning();
  }

  commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    return this.#context.assignments.commit(offsets);
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
      const { state } = this.#context;
      this.#session = createSession(this.#context);
      const reason = await this.#session.run();
      this.#session = undefined;
      if (signal.aborted) return;
      const failure = toPlatformError(reason, `consume ${request.topic}`);
      if (failure.code === 'TOPIC_NOT_FOUND') state.initialPartitions ??= 0;
      handler.interrupted(failure);
      // A client library may still call hooks of the session that has ended, for example when it
      // retries a join. They must not change anything of the next session.
      this.#context = createContext(this.#options, { ...state });
      failures = performance.now() - startedAt > healthyMs ? 1 : failures + 1;
      await sleep(backoffMs(failures, backoff, Math.random()), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }
}

function createContext(
  options: KafkaSubscriptionOptions,
  state: SubscriptionState,
): SessionContext {
  const { request, handler } = options;
  return { request, handler, assignments: new ConsumerAssignments(options), state };
}
