import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Input of the worker thread at its start. */
export interface EngineWorkerData {
  /** Folder of the Postgres cluster; undefined keeps it in memory. */
  readonly clusterDir: string | undefined;
}

/** Message to the worker thread: messages of Postgres's protocol, or the request to close. */
export type EngineRequest = Uint8Array | 'close';

/** Message from the worker thread: `ready` once, then the response to each request, in order. */
export type EngineReply = 'ready' | Uint8Array;

/** File of the worker thread: compiled, or the source in the tests of this package. */
const workerUrl = new URL(`./engine-worker${extname(import.meta.url)}`, import.meta.url);

/** Request that has no response yet. */
interface PendingRequest {
  resolve(response: Uint8Array): void;
  reject(error: Error): void;
}

/**
 * PGlite in a worker thread, from its start to its end. It may be ended at any moment, like a server
 * with kill -9: the next engine on the same folder recovers what was committed.
 */
export class EmbeddedEngine {
  /** Resolves when the thread has ended, for any reason. */
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  /** Responses arrive in the order of the requests. */
  readonly #pending: PendingRequest[] = [];
  #failure: Error | undefined;
  #isUsed = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (reply: EngineReply) => {
      if (reply !== 'ready') this.#pending.shift()?.resolve(reply);
    });
    worker.on('error', (error) => {
      this.#failure = error;
    });
    this.exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#onExit();
        resolve();
      });
    });
  }

  /**
   * Starts a thread, and resolves when PGlite is ready.
   * @throws Error if PGlite does not start, for example because the folder contains something else
   */
  static async start(clusterDir: string | undefined): Promise<EmbeddedEngine> {
    const data: EngineWorkerData = { clusterDir };
    // Flags of the process must not apply to the worker: `--input-type`, for one, ends it at once.
    const worker = new Worker(workerUrl, { workerData: data, execArgv: [] });
    const engine = new EmbeddedEngine(worker);
    await Promise.race([
      once(worker, 'message'),
      engine.exited.then(() => Promise.reject(engine.#ended())),
    ]);
    return engine;
  }

  /** True if it runs and no connection uses it yet. It has one session, so it serves one connection. */
  get isUnused(): boolean {
    return !this.#isUsed && this.#failure === undefined;
  }

  /** Must be called by the connection that uses it from now on. */
  markUsed(): void {
    this.#isUsed = true;
  }

  /**
   * Sends messages of Postgres's protocol, and resolves to the response to all of them. The buffer is
   * transferred to the other thread without a copy, so it must contain nothing else, and cannot be
   * used here afterwards.
   */
  execute(messages: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#pending.push({ resolve, reject });
    this.#post(messages, messages.buffer);
    return promise;
  }

  /** Shuts it down cleanly: the next start needs no recovery. */
  async close(): Promise<void> {
    this.#post('close');
    await this.exited;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.exited;
  }

  #post(request: EngineRequest, ...transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(request, transfer);
  }

  #onExit(): void {
    this.#failure ??= new Error('the embedded database has ended');
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure);
  }

  #ended(): Error {
    return this.#failure ?? new Error('the embedded database has ended');
  }
}
