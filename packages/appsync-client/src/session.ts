/*
 * One connection: it opens with `connection_init` and `connection_ack`, carries operations, each of
 * which has an id that its answer repeats, and ends once.
 */

import { AppSyncError, isFinal, toServerError } from './appsync-error.js';
import type { Clock } from './clock.js';
import type { Connection } from './dial.js';
import {
  type Extension,
  errorsOf,
  parseFrame,
  type ReceiveMessage,
  type SendMessage,
} from './protocol.js';
import { Watchdog } from './watchdog.js';

const defaultTimeoutMs = 300_000;

/** Users of a session. */
export interface SessionOptions {
  readonly clock: Clock;
  /** Longest time until the acknowledgement, in ms. */
  readonly timeoutMs: number;
  readonly extensions: readonly Extension[];
  /** Gets frames that answer no operation. */
  readonly onFrame: (frame: ReceiveMessage) => void;
  /** Called once, when the connection is over. */
  readonly onEnd: (error: AppSyncError, isFinal: boolean) => void;
}

/** Facts that the server has acknowledged. */
export interface SessionFacts {
  readonly extensions: readonly Extension[];
  readonly epoch: string | undefined;
}

/** Options of one operation. */
export interface OperationOptions {
  /** Limits the wait for the answer. Its reason is the error. */
  readonly signal: AbortSignal;
  /** Gets the answer before any frame that follows it. */
  readonly onAnswer?: ((frame: ReceiveMessage) => void) | undefined;
}

interface PendingOperation {
  /** Type of the request. `publish` is answered by `publish_success`, `publish_error` or `error`. */
  readonly type: string;
  readonly resolve: (frame: ReceiveMessage) => void;
  readonly reject: (error: AppSyncError) => void;
}

/** A connection with its operations. */
export class Session {
  /** Resolves with the acknowledgement. Rejects if there is none. */
  readonly ready: Promise<SessionFacts>;
  readonly #connection: Connection;
  readonly #options: SessionOptions;
  readonly #pending = new Map<string, PendingOperation>();
  readonly #watchdog: Watchdog;
  #settleReady: { resolve: (facts: SessionFacts) => void; reject: (error: AppSyncError) => void };
  #isAcknowledged = false;
  #end: AppSyncError | undefined;

  constructor(connection: Connection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<SessionFacts>();
    this.ready = promise;
    this.#settleReady = { resolve, reject };
    promise.catch(() => undefined);
    const { clock, timeoutMs, extensions } = options;
    this.#watchdog = new Watchdog(clock, timeoutMs, () =>
      this.#finish(new AppSyncError('timed_out', 'the server has sent nothing for too long')),
    );
    connection.onmessage = ({ data }) => this.#receive(data);
    connection.onerror = () => undefined;
    connection.onclose = ({ code, reason }) => {
      const what = `the server closed the connection (${code ?? 'no code'}${reason ? `, ${reason}` : ''})`;
      this.#finish(new AppSyncError('connection_closed', what));
    };
    this.send({ type: 'connection_init', ...(extensions.length > 0 ? { extensions } : {}) });
  }

  /** Sends a frame. @throws AppSyncError `connection_closed`, `marshal_failed` */
  send(message: SendMessage): void {
    if (this.#end) throw toLost(this.#end);
    try {
      this.#connection.send(JSON.stringify(message));
    } catch (cause) {
      throw new AppSyncError('marshal_failed', 'the frame could not be sent', { cause });
    }
  }

  /**
   * Sends an operation and waits for its answer.
   * @throws AppSyncError `server_error`, `connection_closed`, `marshal_failed`, `id_exists`; the reason
   *   of the signal
   */
  async request(
    message: SendMessage & { readonly id: string },
    { signal, onAnswer }: OperationOptions,
  ): Promise<ReceiveMessage> {
    const { id, type } = message;
    if (this.#pending.has(id)) throw new AppSyncError('id_exists', `the id ${id} is in use`);
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<ReceiveMessage>();
    const settle = (frame: ReceiveMessage): void => {
      onAnswer?.(frame);
      resolve(frame);
    };
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    this.#pending.set(id, { type, resolve: settle, reject });
    try {
      this.send(message);
      return await promise;
    } finally {
      this.#pending.delete(id);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the session and closes the connection. Idempotent. */
  close(error: AppSyncError): void {
    this.#finish(error);
  }

  /** Checks at once that the server is still there: timers were slow while a page was hidden. */
  check(): void {
    this.#watchdog.check();
  }

  #receive(data: unknown): void {
    const frame = this.#end ? undefined : parseFrame(data);
    // Anything that arrives shows that the server is there, frame or not.
    if (this.#isAcknowledged) this.#watchdog.onFrame();
    if (frame?.type === 'connection_ack') this.#acknowledge(frame);
    else if (frame?.type === 'connection_error') {
      const errors = errorsOf(frame);
      this.#finish(toServerError('the connection', errors), isFinal(errors));
    } else if (frame && this.#isAcknowledged) this.#dispatch(frame);
  }

  /** Passes a frame to the operation that it answers, or on. */
  #dispatch(frame: ReceiveMessage): void {
    const { id = '', type } = frame;
    const pending = this.#pending.get(id);
    // Frames of other types may have the id of a pending operation, and do not settle it.
    const isSuccess = type === `${pending?.type}_success`;
    if (type === 'ka') this.#watchdog.onKeepAlive();
    else if (pending && (isSuccess || type === 'error' || type === `${pending.type}_error`)) {
      this.#pending.delete(id);
      if (isSuccess) pending.resolve(frame);
      else pending.reject(toServerError(`the ${pending.type}`, errorsOf(frame)));
    } else this.#options.onFrame(frame);
  }

  #acknowledge(frame: ReceiveMessage): void {
    const timeoutMs = frame.connectionTimeoutMs || frame.payload?.connectionTimeoutMs;
    const namedMs = Number(timeoutMs);
    this.#watchdog.start(namedMs > 0 ? namedMs : defaultTimeoutMs);
    this.#isAcknowledged = true;
    const extensions = Array.isArray(frame.extensions) ? frame.extensions : [];
    this.#settleReady.resolve({ extensions, epoch: frame.epoch });
  }

  #finish(error: AppSyncError, isLast = false): void {
    if (this.#end) return;
    this.#end = error;
    this.#watchdog.stop();
    this.#connection.onmessage = null;
    this.#connection.onclose = null;
    this.#connection.close(1000);
    this.#settleReady.reject(error);
    for (const { reject } of this.#pending.values()) reject(toLost(error));
    this.#options.onEnd(error, isLast);
  }
}

/** Creates the error of an operation whose connection is over. */
function toLost(cause: AppSyncError): AppSyncError {
  if (cause.reason === 'connection_closed') return cause;
  return new AppSyncError('connection_closed', 'the connection was lost', { cause });
}
