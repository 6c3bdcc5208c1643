import { backoffMs, PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { DatabaseLogger, Listener } from '../database.js';
import { toConnectError } from '../errors.js';
import { type ChannelListener, ChannelListeners } from '../session/channel-listeners.js';
import { ConnectionWatchdog } from '../session/connection-watchdog.js';
import type { Encryption } from '../session/encryption.js';
import { Session } from '../session/session.js';
import type { SessionSetup } from './session-setup.js';

const backoff = { initialMs: 100, maxMs: 10_000 };
/** Time limit of LISTEN, in ms. It takes no time by itself, so a slower server is frozen or lost. */
const responseTimeoutMs = 10_000;

/** Dependencies of `ListenConnection`. */
export interface ListenConnectionDeps {
  readonly connection: pg.ClientConfig;
  readonly encryption: Encryption;
  readonly setup: SessionSetup;
  readonly logger: DatabaseLogger;
}

/**
 * The one connection that all channels of a handle share. It is opened for the first listener, opened
 * again if it is lost, and closed with the handle.
 *
 * States: none (no listener yet) -> connecting -> up -> lost -> connecting -> up -> ...
 * Invariant: while it is up, LISTEN was sent for every channel that has a listener.
 */
export class ListenConnection {
  readonly #config: pg.ClientConfig;
  readonly #encryption: Encryption;
  readonly #setup: SessionSetup;
  readonly #logger: DatabaseLogger;
  readonly #listeners: ChannelListeners;
  readonly #watchdog = new ConnectionWatchdog();
  #session: Session | undefined;
  #connecting: Promise<Session> | undefined;
  /** True from a loss until the listeners have been notified of the reconnect. */
  #lost = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ connection, encryption, setup, logger }: ListenConnectionDeps) {
    this.#config = { ...connection, pipeline: true };
    this.#encryption = encryption;
    this.#setup = setup;
    this.#logger = logger;
    this.#listeners = new ChannelListeners(logger);
  }

  /**
   * Adds a listener of a channel.
   * @throws PlatformError `DATABASE_*` if LISTEN fails; the listener is not added then
   */
  async listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect: (() => void) | undefined,
  ): Promise<Listener> {
    if (this.#closed) throw closedError();
    const listener: ChannelListener = { channel, onNotification, onReconnect };
    this.#listeners.add(listener);
    try {
      const session = this.#session ?? (await this.#connect());
      await session.run(listenStatement(channel));
    } catch (error) {
      this.#listeners.remove(listener);
      throw error;
    }
    return { close: () => this.#unlisten(listener) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#listeners.clear();
    await this.#connecting?.catch(() => undefined);
    this.#watchdog.close();
    await this.#session?.end();
  }

  async #unlisten(listener: ChannelListener): Promise<void> {
    if (!this.#listeners.remove(listener) || !this.#session) return;
    const statement = `unlisten ${pg.escapeIdentifier(listener.channel)}`;
    // A lost connection listens to nothing, so a failure leaves nothing to undo.
    await this.#session.run(statement).catch(() => undefined);
  }

  #connect(): Promise<Session> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Session> {
    const session = await this.#encryption
      .connect(() => this.#openSession())
      .catch((error: unknown) => {
        throw toConnectError(error);
      });
    try {
      await this.#setup.apply(session);
      const channels = this.#listeners.channels();
      await Promise.all(channels.map((channel) => session.run(listenStatement(channel))));
      if (this.#closed) throw closedError();
      if (session.isLost)
        throw new PlatformError('DATABASE_UNAVAILABLE', 'the connection was lost again at once');
    } catch (error) {
      await session.end();
      throw error;
    }
    this.#up(session);
    return session;
  }

  async #openSession(): Promise<Session> {
    const session = new Session({ ...this.#config, ssl: this.#encryption.current });
    session.responseTimeoutMs = responseTimeoutMs;
    this.#watchdog.add(session);
    session.on('notification', ({ channel, payload = '' }) => {
      this.#listeners.dispatch(channel, payload);
    });
    await session.connect();
    return session;
  }

  #up(session: Session): void {
    session.once('end', () => this.#onEnd(session));
    this.#session = session;
    this.#failures = 0;
    if (!this.#lost) return;
    this.#lost = false;
    clearTimeout(this.#retry);
    this.#listeners.notifyReconnect();
  }

  #onEnd(session: Session): void {
    if (this.#session !== session || this.#closed) return;
    this.#session = undefined;
    this.#lost = true;
    const err = toConnectError(session.lossCause ?? new Error('it was closed'));
    this.#logger.warn({ err }, 'the database connection for notifications was lost');
    this.#retryLater();
  }

  #retryLater(): void {
    this.#failures++;
    const waitMs = backoffMs(this.#failures, backoff, Math.random());
    this.#retry = setTimeout(() => {
      this.#connect().catch(() => {
        if (!this.#closed) this.#retryLater();
      });
    }, waitMs);
  }
}

function listenStatement(channel: string): string {
  return `listen ${pg.escapeIdentifier(channel)}`;
}

function closedError(): PlatformError {
  return new PlatformError('DATABASE_UNAVAILABLE', 'the database handle is closed');
}
