import type { IncomingHttpHeaders } from 'node:http';
import { Condition } from '../condition.js';

/** What is remembered; the oldest is dropped beyond it. */
const maxRequests = 20_000;
const maxBytes = 64 * 1024 * 1024;

export interface ReceivedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** What was kept of the body: at most 1 MiB. */
  readonly body: Buffer;
  /** Length of the body as it came. */
  readonly bodyBytes: number;
  /** Whether the body came to its end. */
  readonly complete: boolean;
  /** When the body was read, in ms since 1970, with fractions. */
  readonly receivedAt: number;
  /** Number of the connection it came on, from 1. */
  readonly connection: number;
}

/** The requests so far, in bounded memory, and the ones who wait for more. */
export class RequestLog {
  #requests: ReceivedRequest[] = [];
  #bytes = 0;
  #count = 0;
  readonly #condition = new Condition();

  /** The last ones, oldest first. */
  get requests(): readonly ReceivedRequest[] {
    return this.#requests;
  }

  /** All since the start or the last `clear`, the forgotten ones included. */
  get count(): number {
    return this.#count;
  }

  add(request: ReceivedRequest): void {
    this.#count += 1;
    this.#bytes += request.body.length;
    this.#requests.push(request);
    // A tenth at once, so that a long run does not move the array for every request.
    if (this.#requests.length > maxRequests) this.#forget(maxRequests / 10);
    while (this.#bytes > maxBytes && this.#requests.length > 1) {
      this.#forget(Math.ceil(this.#requests.length / 10));
    }
    this.#condition.changed();
  }

  clear(): void {
    this.#forget(this.#requests.length);
    this.#count = 0;
  }

  /** @throws Error after `timeoutMs`, with what has come by then; and what `isSatisfied` throws */
  async waitUntil(isSatisfied: () => boolean, timeoutMs: number): Promise<void> {
    await this.#condition.waitUntil(isSatisfied, timeoutMs, () => {
      const last = this.#requests.slice(-5).map(({ method, path }) => `${method} ${path}`);
      return `${this.#count} requests came, last: ${last.join(', ')}`;
    });
  }

  #forget(count: number): void {
    for (const { body } of this.#requests.splice(0, count)) this.#bytes -= body.length;
  }
}
