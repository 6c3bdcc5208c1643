import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PlatformError, Semaphore } from '@posthaste/contracts';

/** Request to a thread: match filters of one application with one payload, in their order. */
export interface FilterRequest {
  readonly application: string;
  /** The payload as JSON. A copy of the text is far cheaper than one of its values. */
  readonly data: string;
  /** Valid filters as JSON. */
  readonly filters: readonly string[];
  /** Processor time after which no filter but the first one is begun, in ms. */
  readonly budgetMs: number;
  /** Most steps of one filter: one that would take more is not matched. */
  readonly maxWork: number;
  /** Memory for a result of each filter, shared so that results remain when the thread is ended. */
  readonly results: SharedArrayBuffer;
}

/** Message from a thread. */
export type FilterReply =
  /** The thread has started. */
  | { readonly kind: 'ready' }
  /** The request is finished; it used so much processor time. */
  | { readonly kind: 'done'; readonly usedMs: number };

/** Results of a filter, as they are in shared memory. */
export const filterResults = { open: 0, matches: 1, differs: 2, failed: 3, costly: 4 } as const;

/**
 * Result of a filter: it matches or differs; it failed; it would take too much work (`costly`); the thread was ended while it matched, after
 * the time limit (`timeout`) or because of its memory (`crashed`); it was not begun (`open`).
 */
export type FilterResult = keyof typeof filterResults | 'timeout' | 'crashed';

/** Results of a request. */
export interface FilterResults {
  /** One for each filter. */
  readonly results: readonly FilterResult[];
  /** Processor time that was used, in ms; all time that has passed if the thread was ended. */
  readonly usedMs: number;
}

/** Options of {@link FilterThreads}. */
export interface FilterThreadsOptions {
  /** Time after which a thread is ended, in ms. It begins when the thread gets the request. */
  readonly timeoutMs: number;
  /** Most threads. Default 2. */
  readonly threads?: number | undefined;
}

/** File of the thread, which is compiled also for the tests of this package. */
const threadUrl = new URL(
  extname(import.meta.url) === '.ts' ? '../../dist/filters/filter-thread.js' : 'filter-thread.js',
  import.meta.url,
);
/** Size of the old generation of a thread, in MB: the largest payload takes a fraction of it. */
const maxMemoryMb = 256;
const resultNames = Object.keys(filterResults) as (keyof typeof filterResults)[];

/**
 * Threads that match large filters, so that neither the thread that delivers nor other filters wait
 * for one that runs for long. They are started when they are needed, do not keep the process alive,
 * and are ended by the time limit: nothing else stops a filter that runs.
 */
export class FilterThreads {
  readonly #timeoutMs: number;
  readonly #semaphore: Semaphore;
  readonly #idle: FilterThread[] = [];
  readonly #threads = new Set<FilterThread>();
  #closed = false;

  constructor({ timeoutMs, threads = 2 }: FilterThreadsOptions) {
    this.#timeoutMs = timeoutMs;
    this.#semaphore = new Semaphore(threads);
  }

  /** Number of threads that run. */
  get size(): number {
    return this.#threads.size;
  }

  /**
   * Matches filters in a thread, and waits for a free one before.
   * @throws PlatformError `STOPPING` after `close`; `INTERNAL` if a thread cannot be started
   */
  match(request: Omit<FilterRequest, 'results'>): Promise<FilterResults> {
    return this.#semaphore.run(async () => {
      if (this.#closed) throw stopping();
      const thread = this.#idle.pop() ?? this.#start();
      const results = await thread.match(request, this.#timeoutMs);
      // A thread that was ended by `close` says nothing about the filter.
      if (this.#closed) throw stopping();
      if (!thread.hasEnded) this.#idle.push(thread);
      return results;
    });
  }

  /** Ends all threads, also those that match. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  #start(): FilterThread {
    const thread = new FilterThread();
    this.#threads.add(thread);
    void thread.ended.then(() => {
      this.#threads.delete(thread);
      // It may have crashed between two requests.
      const index = this.#idle.indexOf(thread);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    return thread;
  }
}

/** End of a request: the processor time that it used in ms, or the reason why the thread was ended. */
type RequestEnd = number | 'timeout' | 'crashed';

/** One thread, which answers one request at a time. */
class FilterThread {
  /** Resolves when the thread has ended, for any reason. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  /** Resolves when the thread has started; rejects when it cannot. */
  readonly #ready: Promise<void>;
  #failure: unknown;
  #endRequest: ((end: RequestEnd) => void) | undefined;
  hasEnded = false;

  constructor() {
    // Flags of the process must not apply to the thread: `--input-type`, for one, ends it at once.
    this.#worker = new Worker(threadUrl, {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: maxMemoryMb },
    });
    const ready = Promise.withResolvers<void>();
    this.#ready = ready.promise;
    // Whoever sends a request gets the rejection.
    ready.promise.catch(() => undefined);
    this.#worker.on('message', (reply: FilterReply) => {
      if (reply.kind === 'ready') ready.resolve();
      else this.#endRequest?.(reply.usedMs);
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.hasEnded = true;
        ready.reject(this.#failure ?? stopping());
        this.#endRequest?.('crashed');
        resolve();
      });
    });
  }

  /** Keeps the process alive until it is done. Afterwards the thread does not. */
  async match(request: Omit<FilterRequest, 'results'>, timeoutMs: number): Promise<FilterResults> {
    this.#worker.ref();
    try {
      return await this.#match(request, timeoutMs);
    } finally {
      this.#worker.unref();
    }
  }

  /** Ends the thread at once. */
  async end(): Promise<void> {
    this.hasEnded = true;
    await this.#worker.terminate();
    await this.ended;
  }

  async #match(request: Omit<FilterRequest, 'results'>, timeoutMs: number): Promise<FilterResults> {
    await this.#ready.catch((cause: unknown) => {
      if (cause instanceof PlatformError) throw cause;
      throw new PlatformError('INTERNAL', 'a thread that matches filters does not start', {
        cause,
      });
    });
    const results = new SharedArrayBuffer(request.filters.length);
    const startedMs = performance.now();
    const end = await this.#send({ ...request, results }, timeoutMs);
    if (end === 'timeout') await this.end();
    const found: FilterResult[] = [...new Int8Array(results)].map(
      (result) => resultNames[result] ?? 'failed',
    );
    if (typeof end === 'number') return { results: found, usedMs: end };
    // The first filter without a result is the one that ran.
    const current = found.indexOf('open');
    if (current >= 0) found[current] = end;
    return { results: found, usedMs: performance.now() - startedMs };
  }

  #send(request: FilterRequest, timeoutMs: number): Promise<RequestEnd> {
    return new Promise((resolve) => {
      // Two more turns of the event loop: if this thread was blocked, the reply is there by then.
      const expire = (): void => void setImmediate(() => setImmediate(resolve, 'timeout'));
      const timer = setTimeout(expire, timeoutMs);
      this.#endRequest = (end) => {
        clearTimeout(timer);
        resolve(end);
      };
      this.#worker.postMessage(request);
    });
  }
}

function stopping(): PlatformError {
  return new PlatformError('STOPPING', 'filters are no longer matched: the process is stopping');
}
