import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PlatformError } from '@posthaste/contracts';
import type { WorkerConfig } from './config.js';
import type { Deliveries } from './deliveries.js';
import type { FromThread, ThreadData, ToThread } from './thread-messages.js';

/** Threads at most when the configuration leaves their number open. */
const maxOwnChoice = 4;
/** Connections of a thread at least: claims, results and notices must not wait for one another. */
const minConnections = 4;
const reportTimeoutMs = 2_000;
/**
 * What lives for one attempt fits a small young generation; with the default one, memory grows to
 * several times as much before the collector looks at it, and deliveries are no faster.
 */
const youngGenerationMb = 16;
/** Far above what a thread needs: V8 grows a heap in steps that follow its limit, 4 GB by default. */
const oldGenerationMb = 512;

export interface ThreadsOptions {
  readonly config: WorkerConfig;
  readonly databaseUrl: string;
  /** Shared out between the threads. */
  readonly maxConnections: number;
  readonly logLevel: string;
  /** A thread has ended by itself: the process is in an unknown state. */
  readonly onDefect: (error: unknown) => void;
}

/** Deliveries in threads, each with its own connections and its share of the limits. */
export interface DeliveryThreads extends Deliveries {
  /** The metrics of each thread that answers in time, as `Registry.getMetricsAsJSON` gives them. */
  reports(): Promise<(readonly object[])[]>;
}

/** @throws PlatformError when a thread cannot start, such as for want of the database */
export async function startDeliveryThreads(options: ThreadsOptions): Promise<DeliveryThreads> {
  const { config, databaseUrl: url, maxConnections, logLevel, onDefect } = options;
  const count = config.threads || ownChoice();
  const database = {
    url,
    maxConnections: Math.max(minConnections, Math.floor(maxConnections / count)),
  };
  const threads = Array.from({ length: count }, (_, index) => {
    return new DeliveryThread({ config, share: { index, count }, database, logLevel }, onDefect);
  });
  await Promise.all(threads.map((thread) => thread.ready));
  return {
    reports: async () =>
      (await Promise.all(threads.map((thread) => thread.report()))).filter(
        (metrics) => metrics !== undefined,
      ),
    async close(limitMs) {
      await Promise.all(threads.map((thread) => thread.close(limitMs)));
    },
  };
}

/** A core is left to the main thread and to what else there is on the machine. */
function ownChoice(): number {
  return Math.min(maxOwnChoice, Math.max(1, availableParallelism() - 1));
}

class DeliveryThread {
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #reports = new Map<number, (metrics: readonly object[] | undefined) => void>();
  #nextReport = 0;
  #stopping = false;

  constructor(data: ThreadData, onDefect: (error: unknown) => void) {
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
      this.#worker.on('message', (message: FromThread) => {
        switch (message.kind) {
          case 'report':
            return this.#settle(message.id, message.metrics);
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
      if (!this.#stopping) onDefect(new Error('a delivery thread ended'));
    });
  }

  report(): Promise<readonly object[] | undefined> {
    const id = this.#nextReport++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, undefined), reportTimeoutMs);
      this.#reports.set(id, (metrics) => {
        clearTimeout(timer);
        resolve(metrics);
      });
      this.#tell({ kind: 'report', id });
    });
  }

  async close(limitMs: number): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#tell({ kind: 'stop', limitMs });
    }
    await this.#exited;
  }

  #settle(id: number, metrics: readonly object[] | undefined): void {
    this.#reports.get(id)?.(metrics);
    this.#reports.delete(id);
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }
}
