import pg from 'pg';
import type { DatabaseLogger, Listener } from '../database.js';
import { type ChannelListener, ChannelListeners } from '../session/channel-listeners.js';
import type { Session } from '../session/session.js';
import type { SessionPool } from '../session/session-pool.js';

/** LISTEN on the embedded engine, which has only one session. */
export class EmbeddedListener {
  readonly #listeners: ChannelListeners;
  #wasAttached = false;

  constructor(logger: DatabaseLogger) {
    this.#listeners = new ChannelListeners(logger);
  }

  /** Listens on a new session. Must be called before its first use. */
  async attach(session: Session): Promise<void> {
    session.on('notification', ({ channel, payload = '' }) => {
      this.#listeners.dispatch(channel, payload);
    });
    for (const channel of this.#listeners.channels()) {
      await session.run(`listen ${pg.escapeIdentifier(channel)}`);
    }
    if (this.#wasAttached) this.#listeners.notifyReconnect();
    this.#wasAttached = true;
  }

  /**
   * Adds a listener of a channel.
   * @throws PlatformError `DATABASE_*` if LISTEN fails; the listener is not added then
   */
  async listen(pool: SessionPool, listener: ChannelListener): Promise<Listener> {
    const channel = pg.escapeIdentifier(listener.channel);
    this.#listeners.add(listener);
    try {
      await pool.use((session) => session.run(`listen ${channel}`));
    } catch (error) {
      this.#listeners.remove(listener);
      throw error;
    }
    return {
      close: async () => {
        if (!this.#listeners.remove(listener)) return;
        const unlisten = `unlisten ${channel}`;
        // Fails only if the database is closed or has ended: then there is nothing to undo.
        await pool.use((session) => session.run(unlisten)).catch(() => undefined);
      },
    };
  }
}
