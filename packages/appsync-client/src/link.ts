/*
 * The connection of a client through its reconnects:
 *
 *   connecting -> open -> reconnecting -> open … -> closed
 *
 * A refused credential is renewed once; a second refusal in a row is final.
 */

import { AppSyncError, toAppSyncError } from './appsync-error.js';
import type { ClientOptions, ClientState, ReconnectOptions } from './client-options.js';
import { systemClock } from './clock.js';
import type { Connection } from './dial.js';
import { callListener } from './listener.js';
import type { ReceiveMessage } from './protocol.js';
import { Session } from './session.js';

/**
 * Opens a new connection, with a renewed credential if the last one was refused. The signal is aborted
 * when the client is closed.
 */
export type Redial = (isRefused: boolean, signal: AbortSignal) => Promise<Connection>;

/** Users of a link. */
export interface LinkUsers {
  readonly onFrame: (frame: ReceiveMessage) => void;
  /** Called with each session that is acknowledged. */
  readonly onOpen: (session: Session) => void;
  /** Called once, when there will be no further connection. */
  readonly onClosed: (error: AppSyncError | undefined) => void;
}

/** Connection that comes back. */
export class Link {
  state: ClientState = 'connecting';
  /** First fatal error; with reconnecting, that of giving up. */
  err: AppSyncError | undefined;
  session: Session;
  readonly #options: ClientOptions;
  readonly #reconnect: Required<Omit<ReconnectOptions, 'maxAttempts'>> & ReconnectOptions;
  readonly #redial: Redial | undefined;
  readonly #users: LinkUsers;
  #attempts = 0;
  #openedAt = 0;
  #hasRenewed = false;
  #timer: unknown;
  readonly #closing = new AbortController();
  #waiting: { resolve: (session: Session) => void; reject: (error: AppSyncError) => void }[] = [];

  constructor(
    connection: Connection,
    {
      redial,
      reconnect,
      ...options
    }: ClientOptions & {
      readonly redial?: Redial | undefined;
      readonly reconnect?: ReconnectOptions | undefined;
    },
    users: LinkUsers,
  ) {
    this.#options = options;
    this.#reconnect = { initialMs: 250, maxMs: 20_000, stableMs: 10_000, ...reconnect };
    this.#redial = redial;
    this.#users = users;
    this.session = this.#begin(connection);
    globalThis.addEventListener?.('online', this.#check);
    globalThis.document?.addEventListener('visibilitychange', this.#check);
  }

  /** Resolves with a session that is acknowledged, at once or after a reconnect. */
  whenOpen(): Promise<Session> {
    if (this.state === 'open') return Promise.resolve(this.session);
    if (this.state === 'closed') return Promise.reject(this.#closedError());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the connection with 1000, and all that waits for it. Idempotent. */
  close(error?: AppSyncError): void {
    if (this.state === 'closed') return;
    const cause = error ?? new AppSyncError('connection_closed', 'the client was closed');
    this.err = error;
    this.#change('closed', error);
    this.#clock.clearTimeout(this.#timer);
    this.#closing.abort(cause);
    globalThis.removeEventListener?.('online', this.#check);
    globalThis.document?.removeEventListener('visibilitychange', this.#check);
    this.session.close(cause);
    for (const { reject } of this.#waiting.splice(0)) reject(cause);
    this.#users.onClosed(error);
  }

  /** Returns the wait after so many attempts that failed, in ms: random, with full jitter. */
  backoffMs(attempts: number): number {
    const { initialMs, maxMs } = this.#reconnect;
    return (this.#options.random ?? Math.random)() * Math.min(maxMs, initialMs * 2 ** attempts);
  }

  get #clock() {
    return this.#options.clock ?? systemClock;
  }

  /** Checks the connection, or opens the next one soon: the network or the page is back. */
  readonly #check = (): void => {
    if (globalThis.document?.visibilityState === 'hidden') return;
    if (this.state === 'open') this.session.check();
    else if (this.#timer !== undefined) {
      // Not at once: everybody behind the same network is back at the same moment.
      this.#attempts = 0;
      this.#scheduleDial();
    }
  };

  #begin(connection: Connection): Session {
    const { timeoutMs = 30_000, extensions = [] } = this.#options;
    const session = new Session(connection, {
      ...{ clock: this.#clock, timeoutMs, extensions },
      onFrame: (frame) => this.#users.onFrame(frame),
      onEnd: (error, isFinal) => this.#onEnd(error, isFinal),
    });
    session.ready.then(
      () => this.#onOpen(session),
      () => undefined,
    );
    return session;
  }

  #onOpen(session: Session): void {
    if (this.state === 'closed') return;
    this.#openedAt = this.#clock.now();
    this.#hasRenewed = false;
    this.#change('open');
    this.#users.onOpen(session);
    for (const { resolve } of this.#waiting.splice(0)) resolve(session);
  }

  #onEnd(error: AppSyncError, isFinal: boolean): void {
    if (this.state === 'closed') return;
    const { stableMs, maxAttempts = Number.POSITIVE_INFINITY } = this.#reconnect;
    const wasOpen = this.state === 'open';
    if (wasOpen && this.#clock.now() - this.#openedAt >= stableMs) this.#attempts = 0;
    const isOver = isFinal && this.#hasRenewed;
    if (!this.#redial || isOver || this.#attempts >= maxAttempts) {
      this.close(error);
      return;
    }
    this.#hasRenewed ||= isFinal;
    this.#change('reconnecting', error);
    this.#scheduleDial();
  }

  #scheduleDial(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.#dial(), this.backoffMs(this.#attempts));
    this.#attempts += 1;
  }

  #dial(): void {
    this.#timer = undefined;
    this.#redial?.(this.#hasRenewed, this.#closing.signal).then(
      (connection) => {
        if (this.state === 'closed') connection.close(1000);
        else this.session = this.#begin(connection);
      },
      (error: unknown) => this.#onEnd(toAppSyncError(error), false),
    );
  }

  #change(state: ClientState, error?: AppSyncError): void {
    if (this.state === state) return;
    this.state = state;
    callListener(() => this.#options.onState?.(state, error));
  }

  #closedError(): AppSyncError {
    return this.err ?? new AppSyncError('connection_closed', 'the client was closed');
  }
}
