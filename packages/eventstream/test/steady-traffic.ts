import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../src/client/client.js';
import type { ClientOptions } from '../src/client/client-config.js';

const keys = ['a', 'b', 'c', 'd'];

/** Longer than the default, because on a busy machine a broker needs half a minute to restart. */
const publishTimeoutMs = 150_000;

/** Wait between two rounds, in ms. Each round publishes an event of every key. */
const roundMs = 25;

interface Arrival {
  /** Key and number, as in `a 17`. */
  readonly event: string;
  /** Partition and offset: an event that is stored twice has two. */
  readonly position: string;
  readonly atMs: number;
}

/**
 * Traffic of one client that publishes and consumes at the same time. The events of each key are
 * numbered from 0. Publishing does not wait for outcomes, as in a service with many callers.
 */
export class SteadyTraffic {
  readonly client: Client;
  /** Final failures of publishing. */
  readonly failures: unknown[] = [];
  /** Codes of failed tries. */
  readonly failedTries: string[] = [];
  readonly #topic: string;
  readonly #arrivals: Arrival[] = [];
  readonly #publishing: Promise<unknown>[] = [];
  readonly #done: Promise<void>;
  #unknownRecords = 0;
  #rounds = 0;
  #stopping = false;

  static async start(
    topic: string,
    open: (options: ClientOptions) => Promise<Client>,
  ): Promise<SteadyTraffic> {
    const started: { traffic?: SteadyTraffic } = {};
    const warn = (details: object): void => started.traffic?.countFailedTry(details);
    const silent = (): void => undefined;
    const logger = { warn, error: silent, info: silent, debug: silent };
    started.traffic = new SteadyTraffic(
      topic,
      await open({ logMode: 'warn', logger, publishTimeoutMs }),
    );
    return started.traffic;
  }

  /** Use `start`. */
  constructor(topic: string, client: Client) {
    this.#topic = topic;
    this.client = client;
    const count = (record: { partition: number; offset: bigint }, event: string): void => {
      const position = `${record.partition}:${record.offset}`;
      this.#arrivals.push({ event, position, atMs: Date.now() });
    };
    client.register({
      topic,
      groupId: topic,
      offset: -2,
      callback: ({ record }, event) => {
        if (record) count(record, `${record.key} ${Object(event?.payload).number}`);
      },
    });
    this.#done = this.#run();
  }

  /** Counts a failed try from a line of the client's log: only failed writes have a code. */
  countFailedTry(details: { readonly code?: string; readonly records?: number }): void {
    const { code, records = 0 } = details;
    if (code === undefined) return;
    this.failedTries.push(code);
    if (code === 'EVENT_OUTCOME_UNKNOWN') this.#unknownRecords += records;
  }

  get published(): number {
    return this.#rounds * keys.length;
  }

  /** Number of events that arrived, each counted once. */
  get arrived(): number {
    return new Set(this.#arrivals.map(({ event }) => event)).size;
  }

  /** Numbers of each key in the order of their first arrival. */
  get numbersByKey(): number[][] {
    const events = [...new Set(this.#arrivals.map(({ event }) => event))];
    return keys.map((key) =>
      events.filter((event) => event.startsWith(key)).map((event) => Number(event.slice(2))),
    );
  }

  /** Expected value of `numbersByKey`. */
  get expectedByKey(): number[][] {
    return keys.map(() => Array.from({ length: this.#rounds }, (_, number) => number));
  }

  /** Number of events that are stored more than once. */
  get storedTwice(): number {
    return new Set(this.#arrivals.map(({ position }) => position)).size - this.arrived;
  }

  /** Number of events in tries with an unknown outcome; each of them may be stored twice. */
  get maybeStored(): number {
    return this.#unknownRecords;
  }

  /** First arrivals of records that were delivered again, in ms since 1970. */
  get repeatedAtMs(): number[] {
    const first = new Map<string, number>();
    return this.#arrivals.flatMap(({ position, atMs }) => {
      const before = first.get(position);
      first.set(position, before ?? atMs);
      return before === undefined ? [] : [before];
    });
  }

  /** Stops publishing. Resolves when every published event has an outcome. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
    await Promise.all(this.#publishing);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const number = this.#rounds;
      this.#rounds += 1;
      for (const key of keys) {
        const event = { topic: this.#topic, eventName: 'placed', key, payload: { number } };
        const published = this.client.publish(event);
        this.#publishing.push(published.catch((error) => this.failures.push(error)));
      }
      await sleep(roundMs);
    }
  }
}
