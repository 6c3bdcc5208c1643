import type { Contender } from './contender.js';
import { type Receiver, startReceiver } from './receiver/receiver.js';
import { type StreamServer, startKafkaServer } from './stores/kafka.js';
import { startPostgresStore, usePostgres } from './stores/postgres.js';
import { RedisMissing, startRedis } from './stores/redis.js';
import type { StoreFacts, StoreServer } from './stores/store.js';

/** Options of `openBench`. */
export interface BenchOptions {
  /** URL of a Postgres on this machine, which is used instead of a new one. */
  readonly databaseUrl?: string | undefined;
  readonly log: (line: string) => void;
}

/**
 * Starts the receiver and Postgres.
 * @throws Error if there is no Postgres
 */
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

/** Servers that all measurements of a run share: the receiver and the stores. */
export class Bench {
  readonly receiver: Receiver;
  readonly postgres: StoreServer;
  /** Prints a line about the progress. */
  readonly log: (line: string) => void;
  /** Redis, started for its first contender; a text is the reason why there is none. */
  #redis: Promise<StoreServer | string> | undefined;
  /** Kafka, started for its first row. */
  #kafka: Promise<StreamServer> | undefined;
  #closed: Promise<void> | undefined;

  /** Takes ownership of the receiver and the store: `close` closes them. */
  constructor(receiver: Receiver, postgres: StoreServer, log: (line: string) => void) {
    this.receiver = receiver;
    this.postgres = postgres;
    this.log = log;
  }

  /** Returns the server of a contender's store, or the reason why there is none. */
  async storeOf({ store }: Contender): Promise<StoreServer | string> {
    if (store === 'postgres') return this.postgres;
    this.#redis ??= startRedis().catch((error: unknown) => {
      if (error instanceof RedisMissing) return error.message;
      throw error;
    });
    return this.#redis;
  }

  /**
   * Returns Kafka, which is started at the first call.
   * @throws Error if it cannot be started
   */
  kafka(): Promise<StreamServer> {
    this.#kafka ??= startKafkaServer();
    return this.#kafka;
  }

  /** Returns the facts of the stores that were used. A text is the reason why one was not available. */
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
