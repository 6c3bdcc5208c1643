import {
  type ReceivedRequest,
  type Receiver,
  type Step,
  seededRandom,
  startReceiver,
} from '@posthaste/testbed';
import type { Arrival } from './order-proof.js';
import { type DemoPlan, parsePath, toPath } from './plan.js';
import { type Fate, fateOf, isAccepted, unsteady, type Weather } from './weather.js';

const slowMs = 200;

const steps: Readonly<Record<Fate, Step>> = {
  ok: 200,
  slow: { kind: 'respond', delayMs: slowMs },
  fail: 503,
  hang: { kind: 'hang' },
  reset: { kind: 'reset' },
};

/** Callbacks taken so far, each counted once. */
type TakenListener = (taken: number) => void;

/**
 * The receiver of the demo: it misbehaves by the weather, and writes down what comes. Each queue
 * has random numbers of its own, so that a seed means the same whatever the others do.
 */
export class DemoReceiver {
  weather: Weather = unsteady;
  readonly #plan: DemoPlan;
  readonly #randoms = new Map<string, () => number>();
  readonly #arrivals: Arrival[] = [];
  readonly #fates: Record<Fate, number> = { ok: 0, slow: 0, fail: 0, hang: 0, reset: 0 };
  readonly #seen = new Set<string>();
  readonly #taken = new Set<string>();
  readonly #left: Map<string, number>;
  readonly #listeners = new Set<TakenListener>();
  readonly #server: Receiver;

  private constructor(server: Receiver, plan: DemoPlan, seed: number) {
    this.#server = server;
    this.#plan = plan;
    this.#left = new Map(plan.queues);
    [...plan.queues.keys()].forEach((queue, i) => {
      this.#randoms.set(queue, seededRandom(seed * 1_000_003 + i));
    });
    server.follow((request) => this.#answer(request));
  }

  static async start(plan: DemoPlan, seed: number): Promise<DemoReceiver> {
    return new DemoReceiver(await startReceiver(), plan, seed);
  }

  /** Without a slash at its end. */
  get url(): string {
    return this.#server.url;
  }

  /** Every request, in the order in which they came. */
  get arrivals(): readonly Arrival[] {
    return this.#arrivals;
  }

  /** How many requests met what. */
  get fates(): Readonly<Record<Fate, number>> {
    return this.#fates;
  }

  /** Callbacks that were taken, each counted once. */
  get taken(): number {
    return this.#taken.size;
  }

  /** Requests for callbacks that had been sent before. */
  get repeated(): number {
    return this.#arrivals.length - this.#seen.size;
  }

  /** Requests that wait for an answer. */
  get inFlight(): number {
    return this.#server.inFlight;
  }

  /** Queues of which everything was taken. */
  get queuesDone(): number {
    return this.#plan.queues.size - this.#left.size;
  }

  /** Resolves as soon as so many callbacks were taken. */
  takes(count: number): Promise<void> {
    if (this.taken >= count) return Promise.resolve();
    return new Promise((resolve) => {
      const listener: TakenListener = (taken) => {
        if (taken < count) return;
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
    const place = parsePath(path);
    const random = place && this.#randoms.get(place.queue);
    if (!place || !random) return 404;
    const fate = fateOf(this.weather, random());
    const accepted = isAccepted(fate);
    this.#fates[fate] += 1;
    const id = String(headers['webhook-id'] ?? '');
    const sentAt = Number(headers['webhook-timestamp']);
    this.#arrivals.push({ ...place, id, sentAt, accepted });
    this.#seen.add(toPath(place));
    if (accepted) this.#take(toPath(place), place.queue);
    return steps[fate];
  }

  #take(path: string, queue: string): void {
    if (this.#taken.has(path)) return;
    this.#taken.add(path);
    const left = (this.#left.get(queue) ?? 0) - 1;
    if (left > 0) this.#left.set(queue, left);
    else this.#left.delete(queue);
    for (const listener of this.#listeners) listener(this.taken);
  }
}
