import {
  type ReceivedRequest,
  type Receiver,
  type Step,
  seededRandom,
  startReceiver,
} from '@posthaste/testbed';
import { drawFault, type Fault, type FaultProfile, isAccepted, unsteady } from './fault-profile.js';
import type { ReceivedAttempt } from './order-proof.js';
import { type DemoPlan, parsePath, toPath } from './plan.js';

const slowMs = 200;

const steps: Readonly<Record<Fault, Step>> = {
  ok: 200,
  slow: { kind: 'respond', delayMs: slowMs },
  fail: 503,
  hang: { kind: 'hang' },
  reset: { kind: 'reset' },
};

/** Called with the number of callbacks delivered so far, each counted once. */
type DeliveredListener = (delivered: number) => void;

/**
 * Receiver of the demo: it misbehaves by its fault profile and records every attempt. Each queue has
 * random numbers of its own, so that a seed gives the same faults whatever other queues do.
 */
export class DemoReceiver {
  /** Faults of the requests from now on. */
  faultProfile: FaultProfile = unsteady;
  readonly #plan: DemoPlan;
  readonly #randoms = new Map<string, () => number>();
  readonly #attempts: ReceivedAttempt[] = [];
  readonly #faultCounts: Record<Fault, number> = { ok: 0, slow: 0, fail: 0, hang: 0, reset: 0 };
  readonly #seen = new Set<string>();
  readonly #delivered = new Set<string>();
  readonly #remaining: Map<string, number>;
  readonly #listeners = new Set<DeliveredListener>();
  readonly #server: Receiver;

  private constructor(server: Receiver, plan: DemoPlan, seed: number) {
    this.#server = server;
    this.#plan = plan;
    this.#remaining = new Map(plan.queues);
    [...plan.queues.keys()].forEach((queue, i) => {
      this.#randoms.set(queue, seededRandom(seed * 1_000_003 + i));
    });
    server.follow((request) => this.#answer(request));
  }

  static async start(plan: DemoPlan, seed: number): Promise<DemoReceiver> {
    return new DemoReceiver(await startReceiver(), plan, seed);
  }

  /** URL without a slash at its end. */
  get url(): string {
    return this.#server.url;
  }

  /** All attempts, in the order in which they came. */
  get attempts(): readonly ReceivedAttempt[] {
    return this.#attempts;
  }

  /** Number of requests by their fault. */
  get faultCounts(): Readonly<Record<Fault, number>> {
    return this.#faultCounts;
  }

  /** Number of callbacks that were accepted, each counted once. */
  get delivered(): number {
    return this.#delivered.size;
  }

  /** Number of attempts after the first, of all callbacks. */
  get retried(): number {
    return this.#attempts.length - this.#seen.size;
  }

  /** Number of requests that wait for an answer. */
  get inFlight(): number {
    return this.#server.inFlight;
  }

  /** Number of queues of which every callback was accepted. */
  get queuesDone(): number {
    return this.#plan.queues.size - this.#remaining.size;
  }

  /** Resolves as soon as `count` callbacks are delivered. */
  waitForDelivered(count: number): Promise<void> {
    if (this.delivered >= count) return Promise.resolve();
    return new Promise((resolve) => {
      const listener: DeliveredListener = (delivered) => {
        if (delivered < count) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  #answer({ path, headers }: ReceivedRequest): Step {
    const position = parsePath(path);
    const random = position && this.#randoms.get(position.queue);
    if (!position || !random) return 404;
    const fault = drawFault(this.faultProfile, random());
    const accepted = isAccepted(fault);
    this.#faultCounts[fault] += 1;
    const id = String(headers['webhook-id'] ?? '');
    const sentAt = Number(headers['webhook-timestamp']);
    this.#attempts.push({ ...position, id, sentAt, accepted });
    this.#seen.add(toPath(position));
    if (accepted) this.#addDelivered(toPath(position), position.queue);
    return steps[fault];
  }

  #addDelivered(path: string, queue: string): void {
    if (this.#delivered.has(path)) return;
    this.#delivered.add(path);
    const remaining = (this.#remaining.get(queue) ?? 0) - 1;
    if (remaining > 0) this.#remaining.set(queue, remaining);
    else this.#remaining.delete(queue);
    for (const listener of this.#listeners) listener(this.delivered);
  }
}
