import pg from 'pg';
import type { DatabaseLogger, Listener } from '../database.js';
import { type Subscription, Subscriptions } from '../session/channel-listeners.js';
import type { Session } from '../session/session.js';
import type { SessionPool } from '../session/session-pool.js';

/** LISTEN on the embedded engine, on the one session that it has. */
export class EmbeddedListener {
  readonly #subscriptions: Subscriptions;
  #attachedBefore = false;

  constructor(logger: DatabaseLogger) {
    this.#subscriptions = new Subscriptions(logger);
  }

  /** To be called with each new session before it serves anybody. */
  async attach(session: Session): Promise<void> {
    session.on('notification', ({ channel, payload = '' }) => {
      this.#subscriptions.dispatch(channel, payload);
    });
    for (const channel of this.#subscriptions.channels()) {
      await session.run(`listen ${pg.escapeIdentifier(channel)}`, undefined, false);
    }
    if (this.#attachedBefore) this.#subscriptions.tellReconnect();
    this.#attachedBefore = true;
  }

  /** @throws PlatformError `DATABASE_*` */
  async listen(pool: SessionPool, subscription: Subscription): Promise<Listener> {
    const channel = pg.escapeIdentifier(subscription.channel);
    this.#subscriptions.add(subscription);
    try {
      await pool.use((session) => session.run(`listen ${channel}`, undefined, false));
    } catch (error) {
      this.#subscriptions.remove(subscription);
      throw error;
    }
    return {
      close: async () => {
        if (!this.#subscriptions.remove(subscription)) return;
        const unlisten = `unlisten ${channel}`;
        // Fails only when the database is closed or gone, and then nobody listens anyway.
        await pool.use((session) => session.run(unlisten, undefined, false)).catch(() => undefined);
      },
    };
  }
}
