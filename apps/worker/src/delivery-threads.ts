import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import type { PostgresOptions, SynchronousCommit } from '@posthaste/postgres';
import { type DatabaseFailure, logFailure } from '@posthaste/service';
import type { Logger } from 'pino';
import type { WorkerConfig } from './config.js';
import type { Deliveries } from './deliveries.js';
import type { ThreadPosition } from './thread-limits.js';

/** Most threads when the configuration does not set their number. */
const maxDefaultThreads = 4;
/**
 * Fewest connections of a thread, so that leasing, results and NOTIFY do not wait for one another.
 */
const minConnections = 4;
/** Longest wait for the metrics of a thread, in ms. */
const metricsTimeoutMs = 2_000;
/**
 * Size of the young generation, in MB: objects that live for one attempt fit into it. With the
 * default size, memory grows to several times as much before it is collected, and deliveries are no
 * faster.
 */
const youngGenerationMb = 16;
/**
 * Size of the old generation, in MB. Far more than a thread needs, but less than the default of
 * 4 GB: V8 grows a heap in steps that depend on its limit.
 */
const oldGenerationMb = 512;

/** Options of `startDeliveryThreads`. */
export interface ThreadsOptions {
  readonly config: WorkerConfig;
  readonly databaseUrl: string;
  /** Most database connections of all threads together; the threads divide them. */
  readonly maxConnections: number;
  readonly synchronousCommit: SynchronousCommit;
  readonly logLevel: string;
  /** Logs what threads report about the database. */
  readonly logger: Logger;
  /** Called when a thread ends by itself: the process is then in an unknown state. */
  readonly onDefect: (error: unknown) => void;
}

/** Deliveries in threads, each with its own connections and its part of the limits. */
export interface DeliveryThreads extends Deliveries {
  /** Returns the metrics of each thread that answers in time, as from `Registry.getMetricsAsJSON`. */
  metrics(): Promise<(readonly object[])[]>;
}

/** Data with which a delivery thread is started. */
export interface ThreadData {
  /** Configuration of the whole process; the thread divides its limits. */
  readonly config: WorkerConfig;
  readonly thread: ThreadPosition;
  readonly database: Pick<PostgresOptions, 'url' | 'maxConnections' | 'synchronousCommit'>;
  readonly logLevel: string;
}

/** Message from the main thread to a delivery thread. */
export type MessageToThread =
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'stop'; readonly limitMs: number };

/** Message from a delivery thread to the main thread. */
export type MessageFromThread =
  | { readonly kind: 'ready' }
  /** The thread cannot start, for example because the database cannot be reached. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** A line for the log about the database: the process logs an outage once, not once per thread. */
  | { readonly kind: 'database-failure'; readonly failure: DatabaseFailure }
  /** The answer to the message `metrics` with the same `id`. */
  | { readonly kind: 'metrics'; readonly id: number; readonly metrics: readonly object[] };

/**
 * Starts the delivery threads and waits until all of them deliver.
 * @throws PlatformError when a thread cannot start, for example `DATABASE_UNAVAILABLE`
 */
export async function startDeliveryThreads(options: ThreadsOptions): Promise<DeliveryThreads> {
  const { config, databaseUrl: url, maxConnections, synchronousCommit, logLevel } = options;
  const count = config.threads || defaultThreads();
  const database = {
    url,
    maxConnections: Math.max(minConnections, Math.floor(maxConnections / count)),
    synchronousCommit,
  };
  const threads = Array.from({ length: count }, (_, index) => {
    return new DeliveryThread({ config, thread: { index, count }, database, logLevel }, options);
  });
  await Promise.all(threads.map((thread) => thread.ready));
  return {
    async metrics() {
      const metrics = await Promise.all(threads.map((thread) => thread.metrics()));
      return metrics.filter((each) => each !== undefined);
    },
    async close(limitMs) {
      await Promise.all(threads.map((thread) => thread.close(limitMs)));
    },
  };
}

/** Returns the default number of threads. One core is left to the main thread and other programs. */
function defaultThreads(): number {
  return Math.min(maxDefaultThreads, Math.max(1, availableParallelism() - 1));
}

/** One delivery thread, seen from the main thread. */
class DeliveryThread {
  /** Resolves when the thread delivers; rejects when it cannot start. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #metricsRequests = new Map<number, (metrics: readonly object[] | undefined) => void>();
  #nextRequest = 0;
  #stopping = false;

  constructor(data: ThreadData, { logger, onDefect }: Pick<ThreadsOptions, 'logger' | 'onDefect'>) {
    this.#worker = new Worker(new URL('./delivery-thread.js', import.meta.url), {
      workerData: data,
      resourceLimits: {
        maxYoungGenerationSizeMb: youngGenerationMb,
        maxOldGenerationSizeMb: oldGenerationMb,
      },
    });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.on('message', (message: MessageFromThread) => {
        switch (message.kind) {
          case 'metrics':
            return this.#resolveMetrics(message.id, message.metrics);
          case 'database-failure':
            return logFailure(logger, message.failure);
          case 'failed':
            this.#stopping = true;
            return reject(new PlatformError(message.code, message.message));
          case 'ready':
            this.#worker.off('error', reject).on('error', onDefect);
            resolve();
        }
      });
    });
    void this.#exited.then(() => {
      if (!this.#stopping) onDefect(new Error('a delivery thread ended by itself'));
    });
  }

  /** Returns the thread's metrics, or `undefined` when it does not answer in time. */
  metrics(): Promise<readonly object[] | undefined> {
    const id = this.#nextRequest++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#resolveMetrics(id, undefined), metricsTimeoutMs);
      this.#metricsRequests.set(id, (metrics) => {
        clearTimeout(timer);
        resolve(metrics);
      });
      this.#send({ kind: 'metrics', id });
    });
  }

  async close(limitMs: number): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#send({ kind: 'stop', limitMs });
    }
    await this.#exited;
  }

  #resolveMetrics(id: number, metrics: readonly object[] | undefined): void {
    this.#metricsRequests.get(id)?.(metrics);
    this.#metricsRequests.delete(id);
  }

  #send(message: MessageToThread): void {
    this.#worker.postMessage(message);
  }
}
