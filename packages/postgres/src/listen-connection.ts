import { PlatformError } from '@posthaste/contracts';
import pg from 'pg';
import type { DatabaseLogger, Listener } from './database.js';
import { toPlatformError } from './errors.js';
import { runStatement, watchSession } from './session.js';

interface Subscription {
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  readonly onReconnect: (() => void) | undefined;
}

const firstBackoffMs = 100;
const maxBackoffMs = 10_000;

/**
 * The one connection that all channels of a handle share. It opens with the first subscription,
 * comes back by itself when it is lost, and closes with the handle.
 *
 * States: none (no subscription yet) -> connecting -> up -> (lost) connecting with backoff -> up ...
 * Invariant: while it is up, the server was told LISTEN for every channel that has a subscription.
 */
export class ListenConnection {
  readonly #config: pg.ClientConfig;
  readonly #logger: DatabaseLogger;
  readonly #channels = new Map<string, Set<Subscription>>();
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(config: pg.ClientConfig, logger: DatabaseLogger) {
    this.#config = config;
    this.#logger = logger;
  }

  /** @throws PlatformError `DATABASE_*` when the channel cannot be listened to now */
  async listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect: (() => void) | undefined,
  ): Promise<Listener> {
    if (this.#closed)
      throw new PlatformError('DATABASE_UNAVAILABLE', 'the database handle is closed');
    const subscription: Subscription = { channel, onNotification, onReconnect };
    this.#add(subscription);
    try {
      const client = this.#client ?? (await this.#connect());
      await runStatement(client, `LISTEN ${pg.escapeIdentifier(channel)}`, undefined, false);
    } catch (error) {
      this.#remove(subscription);
      throw error;
    }
    return { close: () => this.#unlisten(subscription) };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#channels.clear();
    await this.#connecting?.catch(() => undefined);
    await this.#client?.end();
    this.#client = undefined;
  }

  #add(subscription: Subscription): void {
    const others = this.#channels.get(subscription.channel);
    if (others) others.add(subscription);
    else this.#channels.set(subscription.channel, new Set([subscription]));
  }

  /** Whether it was the last of its channel. */
  #remove(subscription: Subscription): boolean {
    const others = this.#channels.get(subscription.channel);
    if (!others?.delete(subscription) || others.size > 0) return false;
    return this.#channels.delete(subscription.channel);
  }

  async #unlisten(subscription: Subscription): Promise<void> {
    if (!this.#remove(subscription) || !this.#client) return;
    const statement = `UNLISTEN ${pg.escapeIdentifier(subscription.channel)}`;
    // A connection that is lost listens to nothing: there is nothing left to undo.
    await runStatement(this.#client, statement, undefined, false).catch(() => undefined);
  }

  #connect(): Promise<pg.Client> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.#config, pipeline: true });
    watchSession(client, (error) => this.#onLost(client, error));
    client.on('notification', ({ channel, payload }) => this.#dispatch(channel, payload ?? ''));
    try {
      await client.connect();
    } catch (error) {
      throw toPlatformError(error, { connectionLost: true, mayHaveCommitted: false });
    }
    try {
      await Promise.all(
        [...this.#channels.keys()].map((channel) =>
          runStatement(client, `LISTEN ${pg.escapeIdentifier(channel)}`, undefined, false),
        ),
      );
    } catch (error) {
      await client.end();
      throw error;
    }
    this.#client = client;
    this.#failures = 0;
    return client;
  }

  #onLost(client: pg.Client, error: Error): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (this.#closed) return;
    this.#logger.warn({ err: error }, 'the connection for notifications was lost');
    this.#scheduleReconnect();
  }

  #scheduleReconnect(): void {
    const ceilingMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#failures);
    this.#failures++;
    // Half fixed, half random: processes that lost the same server do not return together.
    const waitMs = (ceilingMs / 2) * (1 + Math.random());
    this.#retry = setTimeout(() => void this.#reconnect(), waitMs);
  }

  async #reconnect(): Promise<void> {
    if (this.#closed) return;
    try {
      if (!this.#client) await this.#connect();
    } catch {
      if (!this.#closed) this.#scheduleReconnect();
      return;
    }
    this.#logger.info({}, 'the connection for notifications is back');
    for (const subscriptions of this.#channels.values()) {
      for (const { onReconnect } of subscriptions) onReconnect?.();
    }
  }

  #dispatch(channel: string, payload: string): void {
    for (const { onNotification } of this.#channels.get(channel) ?? []) onNotification(payload);
  }
}
