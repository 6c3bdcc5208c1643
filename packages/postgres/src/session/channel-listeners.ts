import type { DatabaseLogger } from '../database.js';

/** Callbacks of one caller for one channel. */
export interface ChannelListener {
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  readonly onReconnect: (() => void) | undefined;
}

/** The listeners of a handle, by channel. */
export class ChannelListeners {
  readonly #byChannel = new Map<string, Set<ChannelListener>>();
  readonly #logger: DatabaseLogger;

  constructor(logger: DatabaseLogger) {
    this.#logger = logger;
  }

  /** Returns the channels that have a listener. */
  channels(): string[] {
    return [...this.#byChannel.keys()];
  }

  add(listener: ChannelListener): void {
    const others = this.#byChannel.get(listener.channel);
    if (others) others.add(listener);
    else this.#byChannel.set(listener.channel, new Set([listener]));
  }

  /** Removes a listener. Returns true if it was the last one of its channel. */
  remove(listener: ChannelListener): boolean {
    const others = this.#byChannel.get(listener.channel);
    if (!others?.delete(listener) || others.size > 0) return false;
    return this.#byChannel.delete(listener.channel);
  }

  clear(): void {
    this.#byChannel.clear();
  }

  /** Calls the listeners of a channel with a notification. */
  dispatch(channel: string, payload: string): void {
    for (const listener of this.#byChannel.get(channel) ?? []) {
      this.#call(listener, () => listener.onNotification(payload));
    }
  }

  /** Tells every listener that notifications may be missing. */
  notifyReconnect(): void {
    for (const listeners of this.#byChannel.values()) {
      for (const listener of listeners) {
        this.#call(listener, () => listener.onReconnect?.());
      }
    }
  }

  /** Calls one callback. Its error is logged: it must not stop the others, nor the connection. */
  #call({ channel }: ChannelListener, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#logger.warn({ err: error, channel }, 'the callback of a database listener failed');
    }
  }
}
