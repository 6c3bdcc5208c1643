import { fileURLToPath } from 'node:url';
import { createSecretBox, type EndpointInput, Secrets } from '@posthaste/callbacks';
import { Endpoints, Subscriptions } from '@posthaste/callbacks/management';
import { createEnvelope, type JsonObject } from '@posthaste/contracts';
import { PostgresLog } from '@posthaste/eventstream';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import {
  createTestDatabase,
  type RunningProcess,
  startProcess,
  type TestDatabase,
} from '@posthaste/testbed';
import { workerMigrations } from '../src/migrations.js';

const secretKey = Buffer.alloc(32, 1);

/** Event that a test publishes. */
export interface TestEvent {
  readonly topic?: string;
  readonly name?: string;
  readonly key: string;
  readonly payload?: JsonObject;
  readonly traceparent?: string;
  /** Default: none. */
  readonly application?: string;
}

/** Database with the platform's tables, its event log, and worker processes on it. */
export class EventPlatform {
  readonly db: Database;
  readonly log: PostgresLog;
  readonly #url: string;
  readonly #drop: () => Promise<void>;
  readonly #timeoutMs: number;
  readonly #workers: RunningProcess[] = [];

  private constructor({ url, drop }: TestDatabase, db: Database, timeoutMs: number) {
    this.#url = url;
    this.#drop = drop;
    this.#timeoutMs = timeoutMs;
    this.db = db;
    this.log = new PostgresLog({ db });
  }

  /** @param timeoutMs time limit of an attempt, in ms. A lease lasts 2 s longer. */
  static async open(timeoutMs = 1_000): Promise<EventPlatform> {
    const database = await createTestDatabase();
    const db = await openPostgres({ url: database.url });
    await migrate(db, workerMigrations);
    return new EventPlatform(database, db, timeoutMs);
  }

  /** Starts a worker process with short leases. */
  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<RunningProcess> {
    const worker = await startProcess({
      args: [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
      env: {
        DATABASE_URL: this.#url,
        POSTHASTE_SECRET_KEY: secretKey.toString('base64'),
        POSTHASTE_ALLOW_LOOPBACK: 'true',
        POSTHASTE_CALLBACK_TIMEOUT: `${this.#timeoutMs}ms`,
        POSTHASTE_CALLBACK_LEASE: `${this.#timeoutMs + 2_000}ms`,
        POSTHASTE_WORKER_THREADS: '1',
        ...env,
      },
      ready: /the worker delivers/,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** Creates an endpoint with subscriptions; returns its id. */
  async subscribe(
    endpoint: Pick<EndpointInput, 'name' | 'url'> & Partial<EndpointInput>,
    ...eventNames: readonly string[]
  ): Promise<string> {
    const rules = {
      defaultTimeoutMs: this.#timeoutMs,
      maxTimeoutMs: 20_000,
      urlFault: () => undefined,
    };
    const secrets = new Secrets(this.db, createSecretBox(secretKey));
    const created = await new Endpoints({ db: this.db, secrets, rules }).create({
      application: '',
      ...endpoint,
    });
    const subscriptions = new Subscriptions(this.db);
    for (const eventName of eventNames) {
      await subscriptions.create({ endpointId: created.endpoint.id, eventName }, 'all');
    }
    return created.endpoint.id;
  }

  /** Appends events in one transaction; returns their ids. */
  async publish(...events: readonly TestEvent[]): Promise<string[]> {
    const created = events.map(
      ({ topic = 'orders', name = 'order.placed', key, payload = {}, ...more }) => ({
        ...more,
        topic,
        key,
        envelope: createEnvelope({ name, namespace: 'shop', payload }),
      }),
    );
    await this.db.transaction((tx) => this.log.appendEvents(tx, created));
    return created.map(({ envelope }) => envelope.id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await this.log.close();
    await this.db.close();
    await this.#drop();
  }
}
