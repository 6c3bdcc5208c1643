import type { DatabaseLogger } from '../database.js';

/** One caller's interest in one channel. */
export interface Subscription {
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  readonly onReconnect: (() => void) | undefined;
}

/** Who listens to what. */
export class Subscriptions {
  readonly #byChannel = new Map<string, Set<Subscription>>();
  readonly #logger: DatabaseLogger;

  constructor(logger: DatabaseLogger) {
    this.#logger = logger;
  }

  /** Channels with at least one subscription. */
  channels(): string[] {
    return [...this.#byChannel.keys()];
  }

  add(subscription: Subscription): void {
    const others = this.#byChannel.get(subscription.channel);
    if (others) others.add(subscription);
    else this.#byChannel.set(subscription.channel, new Set([subscription]));
  }

  /** Whether it was the last one of its channel. */
  remove(subscription: Subscription): boolean {
    const others = this.#byChannel.get(subscription.channel);
    if (!others?.delete(subscription) || others.size > 0) return false;
    return this.#byChannel.delete(subscription.channel);
  }

  clear(): void {
    this.#byChannel.clear();
  }

  dispatch(channel: string, payload: string): void {
    for (const subscription of this.#byChannel.get(channel) ?? []) {
      this.#call(subscription, () => subscription.onNotification(payload));
    }
  }

  tellReconnect(): void {
    for (const subscriptions of this.#byChannel.values()) {
      for (const subscription of subscriptions) {
        this.#call(subscription, () => subscription.onReconnect?.());
      }
    }
  }

  /** A callback that throws must not stop the others, nor the connection that called it. */
  #call({ channel }: Subscription, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#logger.warn({ err: error, channel }, 'a listener threw');
    }
  }
}
