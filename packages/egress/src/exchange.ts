import type { Dispatcher } from 'undici';
import type { Connection, PooledRequest } from './connection.js';
import { type Failure, switchedProtocol, toFailure, toTimeout } from './failure.js';
import type { EgressOutcome } from './outcome.js';
import type { EgressRequest } from './request.js';
import type { Target } from './target.js';

/** The pool, as an exchange needs it. */
export interface ExchangePool {
  /** Takes the connection back after a complete response: it can carry the next request. */
  release(connection: Connection): void;
  /** Closes the connection of an exchange that ended without a complete response. */
  discard(connection: Connection): void;
  /** Removes an exchange that ended while it waited for a connection. */
  withdraw(exchange: PooledRequest): void;
  /** Runs the exchange once more, on a new connection that replaces the given one. */
  resend(exchange: PooledRequest, connection: Connection): void;
}

/** Inputs of an exchange. */
export interface ExchangeOptions {
  readonly request: EgressRequest;
  /** Parsed URL of the request. */
  readonly target: Target;
  /** Headers in undici's raw form. */
  readonly headers: string[];
  readonly pool: ExchangePool;
  /** Called once, with the outcome. */
  readonly onSettled: (outcome: EgressOutcome) => void;
}

/** The longest delay that a Node timer takes; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Far more than a server needs before its response, such as one each second while it works. */
const maxInformational = 100;
const emptyBody = Buffer.alloc(0);

/**
 * One request and its outcome. States: waiting (no connection), running, responding (the first byte
 * arrived), settled. It settles once: with the complete response, with the part that arrived if the
 * deadline or an error ends the body early, or with a failure. undici reports more after that,
 * because the connection is closed; those reports are ignored.
 */
export class Exchange implements PooledRequest, Dispatcher.DispatchHandler {
  readonly target: Target;
  readonly options: Dispatcher.DispatchOptions;
  connection: Connection | null = null;

  readonly #request: EgressRequest;
  readonly #pool: ExchangePool;
  readonly #onSettled: (outcome: EgressOutcome) => void;
  readonly #startedAt = process.hrtime.bigint();
  readonly #deadline: NodeJS.Timeout;
  /** Moment of the deadline, by the monotonic clock. */
  readonly #endsAtMs: number;
  #isSettled = false;
  #isResent = false;
  /** True once the first byte of a response has arrived. */
  #isResponding = false;
  #informational = 0;
  #statusCode = 0;
  #headers: [string, string][] = [];
  #chunks: Buffer[] = [];
  #size = 0;

  constructor({ request, target, headers, pool, onSettled }: ExchangeOptions) {
    this.#request = request;
    this.#pool = pool;
    this.#onSettled = onSettled;
    this.target = target;
    this.options = {
      path: target.path,
      method: request.method,
      headers,
      body: request.body,
      blocking: false, // Concerns pipelining; if it is on, each response costs an event loop turn.
    };
    const delayMs = request.timeoutMs > 0 ? Math.min(request.timeoutMs, maxTimerMs) : 0;
    this.#deadline = setTimeout(expire, delayMs, this);
    this.#endsAtMs = performance.now() + delayMs;
  }

  /**
   * Called right before the request is written. A process that was stopped for a while serves its
   * sockets before its timers: a request whose deadline has passed by then must not be sent.
   */
  onRequestStart(): void {
    if (performance.now() >= this.#endsAtMs) this.expire();
    else this.connection?.markSending();
  }

  onResponseStarted(): void {
    this.#isResponding = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.connection?.markProgress();
    if (statusCode < 200) {
      this.#onInformational(statusCode);
      return;
    }
    this.#statusCode = statusCode;
    this.#headers = toPairs(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    this.connection?.markProgress();
    const remaining = this.#request.maxResponseBytes - this.#size;
    this.#chunks.push(chunk.length > remaining ? chunk.subarray(0, remaining) : chunk);
    this.#size += chunk.length;
    if (chunk.length <= remaining) return;
    this.#settleWithResponse({ truncated: true, cut: false });
    this.#closeConnection();
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
      isResponding: this.#isResponding,
    });
    // A server may close an idle connection while a request is on its way to it. The server has
    // most likely not read that request, and a new connection shows at once whether it is up. So the
    // request is sent again: in this case only, and once.
    const isStale = failure.reason === 'reset' && !this.#isResponding && connection?.isReused;
    if (isStale && !this.#isResent) {
      this.#isResent = true;
      this.#pool.resend(this, connection);
    } else {
      this.end(failure);
    }
  }

  end(failure: Failure): void {
    if (this.#isSettled) return;
    if (this.#statusCode === 0) this.#settleWithFailure(failure);
    else this.#settleWithResponse({ truncated: false, cut: true });
    this.#closeConnection();
  }

  /** Ends the exchange because its deadline has passed. Called by the timer. */
  expire(): void {
    const phase = this.connection?.phase ?? 'idle';
    this.end(toTimeout(this.#request.timeoutMs, this.target.host, phase));
  }

  /**
   * Ignores an informational response. Ends the exchange if no final response can follow it, and
   * after too many of them: each costs time, and the final one may never come.
   */
  #onInformational(statusCode: number): void {
    if (this.#isSettled) return;
    this.#informational += 1;
    const fault = findFault(statusCode, this.#informational);
    if (fault === undefined) return;
    const detail = `${this.target.host} ${fault}`;
    this.end({ reason: 'protocol', detail, permanent: false });
  }

  #closeConnection(): void {
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
    this.#onSettled(outcome);
  }
}

function expire(exchange: Exchange): void {
  exchange.expire();
}

/** Returns what is wrong with the `count`-th response whose status is below 200, if anything is. */
function findFault(statusCode: number, count: number): string | undefined {
  if (statusCode < 100) {
    return `sent a response with the status ${String(statusCode).padStart(3, '0')}; a status is 100 to 599`;
  }
  if (statusCode === 101) return switchedProtocol;
  if (count <= maxInformational) return undefined;
  return `sent more than ${maxInformational} informational responses (status 1xx)`;
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
