import type { Contender } from './contender.js';
import { type Receiver, startReceiver } from './receiver/receiver.js';
import { type StreamServer, startKafkaServer } from './stores/kafka.js';
import { startPostgresStore, usePostgres } from './stores/postgres.js';
import { RedisMissing, startRedis } from './stores/redis.js';
import type { StoreFacts, StoreServer } from './stores/store.js';

export interface BenchOptions {
  /** A Postgres on this machine to use instead of starting one. */
  readonly databaseUrl?: string | undefined;
  readonly log: (line: string) => void;
}

/** Starts the receiver and Postgres. @throws Error when there is no Postgres. */
export async function openBench({ databaseUrl, log }: BenchOptions): Promise<Bench> {
  const receiver = await startReceiver();
  try {
    const postgres = await (databaseUrl ? usePostgres(databaseUrl) : startPostgresStore());
    return new Bench(receiver, postgres, log);
  } catch (error) {
    receiver.close();
    throw error;
  }
}

/** What all measurements of a run share: the receiver and the stores. */
export class Bench {
  readonly receiver: Receiver;
  readonly postgres: StoreServer;
  /** Tells whoever waits what is going on. */
  readonly log: (line: string) => void;
  /** Started by its first contender; a text says why there is none. */
  #redis: Promise<StoreServer | string> | undefined;
  /** Started by its first row. */
  #kafka: Promise<StreamServer> | undefined;
  #closed: Promise<void> | undefined;

  /** Takes the receiver and the store over: `close` closes them. */
  constructor(receiver: Receiver, postgres: StoreServer, log: (line: string) => void) {
    this.receiver = receiver;
    this.postgres = postgres;
    this.log = log;
  }

  /** The server of a contender's store, or why there is none. */
  async storeOf({ store }: Contender): Promise<StoreServer | string> {
    if (store === 'postgres') return this.postgres;
    this.#redis ??= startRedis().catch((error: unknown) => {
      if (error instanceof RedisMissing) return error.message;
      throw error;
    });
    return this.#redis;
  }

  /** @throws Error when there is none to start */
  kafka(): Promise<StreamServer> {
    this.#kafka ??= startKafkaServer();
    return this.#kafka;
  }

  /** Of the stores that were used. A text says why one could not be. */
  async storeFacts(): Promise<Record<string, StoreFacts | string>> {
    const redis = await this.#redis;
    const facts: Record<string, StoreFacts | string> = { postgres: this.postgres.facts };
    if (redis) facts.redis = typeof redis === 'string' ? redis : redis.facts;
    const kafka = await this.#kafka;
    if (kafka) facts.kafka = kafka.facts;
    return facts;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.receiver.close();
    await this.postgres.close();
    const redis = await this.#redis;
    if (redis && typeof redis !== 'string') await redis.close();
    const kafka = await this.#kafka?.catch(() => undefined);
    await kafka?.close();
  }
}
