import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { EmbeddedReply, EmbeddedRequest, EmbeddedWorkerData } from './embedded-protocol.js';

/** The worker's file, compiled or, in this package's tests, as source. */
const workerUrl = new URL(`./engine-worker${extname(import.meta.url)}`, import.meta.url);

interface PendingRequest {
  resolve(answer: Uint8Array): void;
  reject(error: Error): void;
}

/**
 * PGlite in a worker thread, from its start to its end. Ending it at any moment is what kill -9 is
 * to a server: the next one on the same folder recovers what was committed.
 */
export class EmbeddedEngine {
  /** Resolves when the thread is gone, whatever ended it. */
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  /** Answers come in the order of requests. */
  readonly #pending: PendingRequest[] = [];
  #failure: Error | undefined;
  #taken = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: EmbeddedReply) => {
      if (answer !== 'ready') this.#pending.shift()?.resolve(answer);
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

  /** @throws Error when PGlite does not start, for example because the folder holds something else */
  static async start(clusterDir: string | undefined): Promise<EmbeddedEngine> {
    const data: EmbeddedWorkerData = { clusterDir };
    // Flags of the process are for its own program: `--input-type`, for one, ends a worker at once.
    const worker = new Worker(workerUrl, { workerData: data, execArgv: [] });
    const engine = new EmbeddedEngine(worker);
    await Promise.race([
      once(worker, 'message'),
      engine.exited.then(() => Promise.reject(engine.#ended())),
    ]);
    return engine;
  }

  /** Whether it runs and serves no connection yet: it has one session, and so serves one ever. */
  get isFree(): boolean {
    return !this.#taken && this.#failure === undefined;
  }

  /** To be called by the connection that uses it from now on. */
  take(): void {
    this.#taken = true;
  }

  /**
   * Sends messages of Postgres's protocol, and gives the answer to all of them. The bytes go to the
   * other thread without a copy: they must fill a buffer of their own, and are gone here.
   */
  execute(messages: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#pending.push({ resolve, reject });
    this.#post(messages, messages.buffer);
    return promise;
  }

  /** Ends it in an orderly way: no recovery is needed at the next start. */
  async close(): Promise<void> {
    this.#post('close');
    await this.exited;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.exited;
  }

  #post(request: EmbeddedRequest, ...transfer: ArrayBuffer[]): void {
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
