import { backoffMs, PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { DatabaseLogger, Listener } from '../database.js';
import { toConnectError } from '../errors.js';
import { type Subscription, Subscriptions } from '../session/channel-listeners.js';
import { AnswerWatch } from '../session/connection-watchdog.js';
import { Session } from '../session/session.js';

const backoff = { initialMs: 100, maxMs: 10_000 };
/** LISTEN itself takes no time: a server that is silent for so long is frozen or gone. */
const answerLimitMs = 10_000;

/**
 * The one connection that all channels of a handle share. It opens with the first subscription,
 * comes back by itself when it is lost, and closes with the handle.
 *
 * States: none (no subscription yet) -> connecting -> up -> lost -> connecting -> up -> ...
 * Invariant: while it is up, the server was told LISTEN for every channel that has a subscription.
 */
export class ListenConnection {
  readonly #config: pg.ClientConfig;
  readonly #logger: DatabaseLogger;
  readonly #subscriptions: Subscriptions;
  readonly #watch = new AnswerWatch();
  #session: Session | undefined;
  #connecting: Promise<Session> | undefined;
  /** Set from a loss until subscribers have been told of the return. */
  #lost = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(config: pg.ClientConfig, logger: DatabaseLogger) {
    this.#config = { ...config, pipeline: true };
    this.#logger = logger;
    this.#subscriptions = new Subscriptions(logger);
  }

  /** @throws PlatformError `DATABASE_*` when the channel cannot be listened to now */
  async listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect: (() => void) | undefined,
  ): Promise<Listener> {
    if (this.#closed) throw closedError();
    const subscription: Subscription = { channel, onNotification, onReconnect };
    this.#subscriptions.add(subscription);
    try {
      const session = this.#session ?? (await this.#connect());
      await session.run(listenStatement(channel), undefined, false);
    } catch (error) {
      this.#subscriptions.remove(subscription);
      throw error;
    }
    return { close: () => this.#unlisten(subscription) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#subscriptions.clear();
    await this.#connecting?.catch(() => undefined);
    this.#watch.close();
    await this.#session?.end();
  }

  async #unlisten(subscription: Subscription): Promise<void> {
    if (!this.#subscriptions.remove(subscription) || !this.#session) return;
    const statement = `unlisten ${pg.escapeIdentifier(subscription.channel)}`;
    // A connection that is lost listens to nothing: there is nothing left to undo.
    await this.#session.run(statement, undefined, false).catch(() => undefined);
  }

  #connect(): Promise<Session> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Session> {
    const session = new Session(this.#config);
    session.answerLimitMs = answerLimitMs;
    this.#watch.add(session);
    session.on('notification', ({ channel, payload = '' }) => {
      this.#subscriptions.dispatch(channel, payload);
    });
    await session.connect().catch((error: unknown) => {
      throw toConnectError(error);
    });
    try {
      const channels = this.#subscriptions.channels();
      await Promise.all(
        channels.map((channel) => session.run(listenStatement(channel), undefined, false)),
      );
      if (this.#closed) throw closedError();
      if (session.isLost) throw new PlatformError('DATABASE_UNAVAILABLE', 'lost again at once');
    } catch (error) {
      await session.end();
      throw error;
    }
    this.#up(session);
    return session;
  }

  #up(session: Session): void {
    session.once('end', () => this.#onEnd(session));
    this.#session = session;
    this.#failures = 0;
    if (!this.#lost) return;
    this.#lost = false;
    clearTimeout(this.#retry);
    this.#logger.info({}, 'the connection for notifications is back');
    this.#subscriptions.tellReconnect();
  }

  #onEnd(session: Session): void {
    if (this.#session !== session || this.#closed) return;
    this.#session = undefined;
    this.#lost = true;
    this.#logger.warn({}, 'the connection for notifications was lost');
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
