/*
 * One connection: it opens with `connection_init` and `connection_ack`, carries operations, each of
 * which has an id that its answer repeats, and ends once.
 */

import { AppSyncError, isFinal, toServerError } from './appsync-error.js';
import type { Clock } from './clock.js';
import { type Connection, ended } from './dial.js';
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
  /** Longest time of one operation, and until the acknowledgement. */
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
  readonly signal?: AbortSignal | undefined;
  /** Longest time until the answer, in ms. Default: that of the session. */
  readonly timeoutMs?: number | undefined;
  /** Gets the answer before any frame that follows it. */
  readonly onAnswer?: ((frame: ReceiveMessage) => void) | undefined;
}

interface PendingOperation {
  readonly resolve: (frame: ReceiveMessage) => void;
  readonly reject: (error: AppSyncError) => void;
  readonly timer: unknown;
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
    if (this.#end) throw this.#end;
    try {
      this.#connection.send(JSON.stringify(message));
    } catch (cause) {
      throw new AppSyncError('marshal_failed', 'the frame could not be sent', { cause });
    }
  }

  /**
   * Sends an operation and waits for its answer.
   * @throws AppSyncError `server_error`, `timed_out`, `context_ended`, `connection_closed`, `id_exists`
   */
  async request(
    message: SendMessage & { readonly id: string },
    { signal, timeoutMs, onAnswer }: OperationOptions = {},
  ): Promise<ReceiveMessage> {
    const { id, type } = message;
    if (this.#pending.has(id)) throw new AppSyncError('id_exists', `the id ${id} is in use`);
    if (signal?.aborted) throw ended(signal);
    const { clock, timeoutMs: usualMs } = this.#options;
    const waitMs = timeoutMs ?? usualMs;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<ReceiveMessage>((resolve, reject) => {
        const giveUp = () =>
          reject(new AppSyncError('timed_out', `${type} had no answer within ${waitMs} ms`));
        const timer = clock.setTimeout(giveUp, waitMs);
        const settle = (frame: ReceiveMessage): void => {
          onAnswer?.(frame);
          resolve(frame);
        };
        this.#pending.set(id, { resolve: settle, reject, timer });
        onAbort = () => reject(ended(signal));
        signal?.addEventListener('abort', onAbort);
        this.send(message);
      });
    } finally {
      clock.clearTimeout(this.#pending.get(id)?.timer);
      this.#pending.delete(id);
      if (onAbort) signal?.removeEventListener('abort', onAbort);
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
    if (this.#end) return;
    this.#watchdog.onFrame();
    const frame = parseFrame(data);
    if (!frame) return;
    if (frame.type === 'connection_ack') this.#acknowledge(frame);
    else if (frame.type === 'ka') this.#watchdog.onKeepAlive();
    else if (frame.type === 'connection_error') {
      const errors = errorsOf(frame);
      this.#finish(toServerError('the connection', errors), isFinal(errors));
    } else if (this.#isAcknowledged) this.#dispatch(frame);
  }

  /** Passes a frame to the operation that it answers, or on. */
  #dispatch(frame: ReceiveMessage): void {
    const pending = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (!pending || frame.type === 'data') {
      this.#options.onFrame(frame);
      return;
    }
    if (frame.type.endsWith('error')) {
      const what = frame.type.replace('_error', '').replace('error', 'the operation');
      pending.reject(toServerError(what, errorsOf(frame)));
    } else pending.resolve(frame);
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
    for (const { reject } of this.#pending.values()) {
      reject(
        error.reason === 'connection_closed'
          ? error
          : new AppSyncError('connection_closed', 'the connection was lost', { cause: error }),
      );
    }
    this.#options.onEnd(error, isLast);
  }
}
