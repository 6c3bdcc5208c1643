import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { Driver, DriverSubscription, SubscriptionRequest } from '../src/driver.js';
import { toRecord } from './kafka-topic.js';
import { offsetsAfter, RecordingHandler } from './recording-handler.js';

const batchSize = 5;
const retryMs = 50;
const tryTimeoutMs = 3_000;

/** Appends the numbers from 0 on to one partition, each batch until it is acknowledged. */
export class SteadyWriter {
  /** Codes of the tries that failed. */
  readonly failures: string[] = [];
  readonly #driver: Driver;
  readonly #topic: string;
  readonly #done: Promise<void>;
  #written = 0;
  #stopping = false;

  constructor(driver: Driver, topic: string) {
    this.#driver = driver;
    this.#topic = topic;
    this.#done = this.#run();
  }

  /** How many numbers are acknowledged. */
  get written(): number {
    return this.#written;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.#appendNext();
      await sleep(5);
    }
  }

  async #appendNext(): Promise<void> {
    const numbers = Array.from({ length: batchSize }, (_, index) => this.#written + index);
    const records = numbers.map((number) => toRecord(`${number}`));
    const request = { topic: this.#topic, partition: 0, records, timeoutMs: tryTimeoutMs };
    for (;;) {
      try {
        await this.#driver.append(request);
        this.#written += batchSize;
        return;
      } catch (error) {
        if (!(error instanceof PlatformError) || !error.retryable) throw error;
        this.failures.push(error.code);
        await sleep(retryMs);
      }
    }
  }
}

/** Reads numbers and commits each batch after a moment. */
export class SteadyReader {
  readonly handler: RecordingHandler;
  readonly subscription: DriverSubscription;

  constructor(driver: Driver, request: SubscriptionRequest) {
    this.handler = new RecordingHandler({
      onRecords: async (_, records) => {
        await sleep(2);
        // What is not committed, because the group has gone on, comes again.
        await this.subscription.commit(offsetsAfter(records)).catch(() => undefined);
      },
    });
    this.subscription = driver.subscribe(request, this.handler);
  }

  /** The numbers in the order of their first arrival. */
  get numbers(): number[] {
    return [...new Set(this.handler.values.map(Number))];
  }
}
