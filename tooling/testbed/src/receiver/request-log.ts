import type { IncomingHttpHeaders } from 'node:http';
import { Condition } from '../condition.js';

/** Limits of the log; the oldest requests are dropped. */
const maxRequests = 20_000;
const maxBytes = 64 * 1024 * 1024;

/** One request that arrived. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path with the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they were received. */
  readonly rawHeaders: readonly string[];
  /** Beginning of the body: at most 1 MiB. */
  readonly body: Buffer;
  /** Length of the complete body. */
  readonly bodyBytes: number;
  /** True if the body was received completely. */
  readonly complete: boolean;
  /** Moment at which the body was read, in ms since 1970, with fractions. */
  readonly receivedAt: number;
  /** Number of its connection, counted from 1. */
  readonly connection: number;
}

/** The requests so far, in bounded memory, with callers that wait for more. */
export class RequestLog {
  #requests: ReceivedRequest[] = [];
  #bytes = 0;
  #count = 0;
  readonly #condition = new Condition();

  /** The last requests, oldest first. */
  get requests(): readonly ReceivedRequest[] {
    return this.#requests;
  }

  /** Number of all requests since the start or the last `clear`, dropped ones included. */
  get count(): number {
    return this.#count;
  }

  add(request: ReceivedRequest): void {
    this.#count += 1;
    this.#bytes += request.body.length;
    this.#requests.push(request);
    // A tenth at once, so that the array is not moved for every request of a long run.
    if (this.#requests.length > maxRequests) this.#drop(maxRequests / 10);
    while (this.#bytes > maxBytes && this.#requests.length > 1) {
      this.#drop(Math.ceil(this.#requests.length / 10));
    }
    this.#condition.changed();
  }

  clear(): void {
    this.#drop(this.#requests.length);
    this.#count = 0;
  }

  /** @throws Error after `timeoutMs`, with the last requests; and the errors of `isSatisfied` */
  async waitUntil(isSatisfied: () => boolean, timeoutMs: number): Promise<void> {
    await this.#condition.waitUntil(isSatisfied, timeoutMs, () => {
      const last = this.#requests.slice(-5).map(({ method, path }) => `${method} ${path}`);
      return `${this.#count} requests arrived, the last were: ${last.join(', ')}`;
    });
  }

  #drop(count: number): void {
    for (const { body } of this.#requests.splice(0, count)) this.#bytes -= body.length;
  }
}
