import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSecret, type SigningKey, sign } from '@posthaste/callbacks';
import { backoffMs } from '@posthaste/contracts';

/** Request that a receiver would get, as the gateway sends it to listeners. */
export interface ListenedRequest {
  readonly id: string;
  /** Absent: it has no order. */
  readonly queue?: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64. */
  readonly body: string;
  readonly timeoutMs: number;
  readonly event: ListenedEvent;
}

/** Place of an event in the log. */
export interface ListenedEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
}

/** One attempt to forward a request. */
export interface ForwardAttempt {
  readonly request: ListenedRequest;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Status of the answer; undefined: there was none. */
  readonly status: number | undefined;
  /** Why there was no answer. */
  readonly error: string | undefined;
  readonly durationMs: number;
  /** Time until the next attempt, in ms; undefined: this was the last one. */
  readonly retryInMs: number | undefined;
}

/** Options of {@link Forwarder}. */
export interface ForwarderOptions {
  /** URL that gets the requests. */
  readonly url: string;
  /** Secret that signs them: `whsec_…`. */
  readonly secret: string;
  /** Most attempts of a request; then the next one of its queue follows. */
  readonly maxAttempts: number;
  readonly onAttempt: (attempt: ForwardAttempt) => void;
  /** Ends waits and requests. */
  readonly signal: AbortSignal;
}

/** Waits between attempts: short, because a person watches. */
const backoff = { initialMs: 500, maxMs: 5_000 };

/**
 * Forwards requests to a URL: those of one queue one after another, others at once. An answer of 200 to
 * 299 is success, redirects are not followed.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #key: SigningKey;
  readonly #queues = new Map<string, Promise<void>>();

  /** @throws PlatformError `SECRET_INVALID` */
  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#key = parseSecret(options.secret);
  }

  /** Resolves when the request was answered with success, or given up. Does not reject. */
  forward(request: ListenedRequest): Promise<void> {
    const { queue } = request;
    if (queue === undefined) return this.#run(request);
    const previous = this.#queues.get(queue) ?? Promise.resolve();
    const done = previous.then(() => this.#run(request));
    this.#queues.set(queue, done);
    void done.then(() => {
      if (this.#queues.get(queue) === done) this.#queues.delete(queue);
    });
    return done;
  }

  async #run(request: ListenedRequest): Promise<void> {
    const { maxAttempts, onAttempt, signal } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const startedAt = performance.now();
      const { status, error } = await this.#send(request);
      if (signal.aborted) return;
      const isSuccess = status !== undefined && status >= 200 && status < 300;
      const isLast = isSuccess || attempt >= maxAttempts;
      const retryInMs = isLast ? undefined : Math.round(backoffMs(attempt, backoff, Math.random()));
      const durationMs = Math.round(performance.now() - startedAt);
      onAttempt({ request, attempt, status, error, durationMs, retryInMs });
      if (retryInMs === undefined) return;
      await sleep(retryInMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Makes one attempt. Does not reject. */
  #send(request: ListenedRequest): Promise<Pick<ForwardAttempt, 'status' | 'error'>> {
    const { url, signal } = this.#options;
    const body = Buffer.from(request.body, 'base64');
    const timeout = AbortSignal.timeout(request.timeoutMs);
    const send = url.startsWith('https:') ? requestHttps : requestHttp;
    return new Promise((resolve) => {
      const fail = (error: Error): void => {
        const reason = timeout.aborted ? `no answer in ${request.timeoutMs} ms` : reasonOf(error);
        resolve({ status: undefined, error: reason });
      };
      const sent = send(url, {
        method: request.method,
        headers: this.#toHeaders(request, body),
        signal: AbortSignal.any([signal, timeout]),
      });
      sent.once('error', fail);
      sent.once('response', (answer: IncomingMessage) => {
        answer.once('error', fail);
        answer.once('end', () => resolve({ status: answer.statusCode, error: undefined }));
        answer.resume();
      });
      sent.end(body);
    });
  }

  /** Returns the headers with the time of the attempt and its signature, as a worker sets them. */
  #toHeaders({ id, headers }: ListenedRequest, body: Buffer): Record<string, string | number> {
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    return {
      ...Object.fromEntries(headers),
      'content-length': body.length,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': sign({ id, timestampSeconds, body, keys: [this.#key] }),
    };
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message || String(error);
}
