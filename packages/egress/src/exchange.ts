import type { Dispatcher } from 'undici';
import type { Connection } from './connection.js';
import { type Failure, toFailure, toTimeout } from './failure.js';
import type { Target } from './target.js';

export interface EgressRequest {
  /** Absolute, http or https, without credentials. */
  readonly url: string;
  /** As it goes on the wire: methods are case-sensitive. */
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  /** The one deadline, over everything: waiting for a connection, DNS, connect, TLS, head and body. */
  readonly timeoutMs: number;
  /** Bytes of the answer's body that are kept. When there are more, the socket is closed. */
  readonly maxResponseBytes: number;
}

export type EgressOutcome = EgressResponse | EgressFailure;

/** There was the head of an answer, whatever its status: a redirect is one as well. */
export interface EgressResponse {
  readonly kind: 'response';
  readonly statusCode: number;
  /** In the order of first appearance, names in lower case, one entry per value. */
  readonly headers: [name: string, value: string][];
  /** As received: nothing is decompressed. */
  readonly body: Buffer;
  /** The body was longer than `maxResponseBytes`: this is its beginning. */
  readonly truncated: boolean;
  /** The body ended early, or the deadline fell into it: this is what had arrived. */
  readonly cut: boolean;
  /** The request was sent twice: a reused connection was reset before a byte of the answer. */
  readonly resent: boolean;
  readonly durationNs: bigint;
}

/** There was no answer. */
export interface EgressFailure extends Failure {
  readonly kind: 'failure';
  readonly resent: boolean;
  readonly durationNs: bigint;
}

/** What an exchange needs of the pool it runs in. */
export interface ExchangePool {
  /** The exchange has settled with a whole answer: the connection can take the next one. */
  release(connection: Connection): void;
  /** The exchange has settled, and the connection it ran on must go. */
  discard(connection: Connection): void;
  /** The exchange has settled while it waited for a connection. */
  withdraw(exchange: Exchange): void;
  /** Runs the exchange once more, on a connection that is opened in place of its own. */
  resend(exchange: Exchange, connection: Connection): void;
}

/** The longest delay a Node timer takes; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Far more than a server has to say before its answer, such as one a second that it still works. */
const maxInformational = 100;
const emptyBody = Buffer.alloc(0);

/**
 * One request and its outcome. States: waiting (no connection), running, answering (the head is
 * there), settled. It settles once: with the whole answer, with what there is of it when the
 * deadline or an error falls into the body, or with a failure. What undici reports after that is
 * the echo of closing the connection, and is ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly target: Target;
  readonly options: Dispatcher.DispatchOptions;
  /** The connection it runs on, set by that; null while it waits for one. */
  connection: Connection | null = null;

  readonly #request: EgressRequest;
  readonly #pool: ExchangePool;
  readonly #resolve: (outcome: EgressOutcome) => void;
  readonly #startedAt = process.hrtime.bigint();
  readonly #deadline: NodeJS.Timeout;
  /** When it fires, by the steady clock. */
  readonly #endsAtMs: number;
  #isSettled = false;
  #isResent = false;
  /** The first byte of an answer has arrived. */
  #isAnswering = false;
  #informational = 0;
  #statusCode = 0;
  #headers: [string, string][] = [];
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(
    request: EgressRequest,
    to: { target: Target; headers: string[] },
    pool: ExchangePool,
    resolve: (outcome: EgressOutcome) => void,
  ) {
    this.#request = request;
    this.#pool = pool;
    this.#resolve = resolve;
    this.target = to.target;
    this.options = {
      path: to.target.path,
      method: request.method,
      headers: to.headers,
      body: request.body,
      blocking: false, // about pipelining; leaving it on costs a turn per answer
    };
    const delayMs = request.timeoutMs > 0 ? Math.min(request.timeoutMs, maxTimerMs) : 0;
    this.#deadline = setTimeout(expire, delayMs, this);
    this.#endsAtMs = performance.now() + delayMs;
  }

  /**
   * Called right before the request is written. A process that was stopped for a while serves its
   * sockets before its timers: what is over its deadline by then must not go out.
   */
  onRequestStart(): void {
    if (performance.now() >= this.#endsAtMs) this.expire();
  }

  onResponseStarted(): void {
    this.#isAnswering = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (statusCode < 200) {
      this.#countInformational();
      return;
    }
    this.#statusCode = statusCode;
    this.#headers = toPairs(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    const room = this.#request.maxResponseBytes - this.#size;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#size += chunk.length;
    if (chunk.length <= room) return;
    this.#settleWithResponse({ truncated: true, cut: false });
    this.#leave();
  }

  onResponseEnd(): void {
    if (this.#isSettled) return;
    this.#settleWithResponse({ truncated: false, cut: false });
    if (this.connection !== null) this.#pool.release(this.connection);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isSettled) return;
    const { connection } = this;
    const failure = toFailure(error, {
      host: this.target.host,
      phase: connection?.phase ?? 'idle',
      answering: this.#isAnswering,
    });
    // A server may close an idle connection just while a request is on its way to it. Such a
    // request was most likely not seen, and a new connection tells at once. Only then, and once.
    const isStale = failure.reason === 'reset' && !this.#isAnswering && connection?.isReused;
    if (isStale && !this.#isResent) {
      this.#isResent = true;
      this.#pool.resend(this, connection);
    } else {
      this.end(failure);
    }
  }

  /** Ends the exchange with what has arrived, or with `failure` when no head has. */
  end(failure: Failure): void {
    if (this.#isSettled) return;
    if (this.#statusCode === 0) this.#settleWithFailure(failure);
    else this.#settleWithResponse({ truncated: false, cut: true });
    this.#leave();
  }

  /** Called by the timer. */
  expire(): void {
    const phase = this.connection?.phase ?? 'idle';
    this.end(toTimeout(this.#request.timeoutMs, this.target.host, phase));
  }

  /** The answer is still to come: not after any number of these, each of which costs time. */
  #countInformational(): void {
    this.#informational += 1;
    if (this.#informational <= maxInformational || this.#isSettled) return;
    const detail = `${this.target.host} sent more than ${maxInformational} informational answers (status 1xx)`;
    this.end({ reason: 'protocol', detail, permanent: false });
  }

  #leave(): void {
    if (this.connection === null) this.#pool.withdraw(this);
    else this.#pool.discard(this.connection);
  }

  #settleWithResponse({ truncated, cut }: { truncated: boolean; cut: boolean }): void {
    const [first = emptyBody] = this.#chunks;
    this.#settle({
      kind: 'response',
      statusCode: this.#statusCode,
      headers: this.#headers,
      body: this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first,
      truncated,
      cut,
      resent: this.#isResent,
      durationNs: process.hrtime.bigint() - this.#startedAt,
    });
  }

  #settleWithFailure(failure: Failure): void {
    const durationNs = process.hrtime.bigint() - this.#startedAt;
    this.#settle({ kind: 'failure', ...failure, resent: this.#isResent, durationNs });
  }

  #settle(outcome: EgressOutcome): void {
    this.#isSettled = true;
    clearTimeout(this.#deadline);
    this.#resolve(outcome);
  }
}

function expire(exchange: Exchange): void {
  exchange.expire();
}

function toPairs(headers: Record<string, string | string[] | undefined>): [string, string][] {
  const pairs: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value === 'string') pairs.push([name, value]);
    else for (const one of value ?? []) pairs.push([name, one]);
  }
  return pairs;
}
