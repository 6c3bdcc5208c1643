import type { Database } from '@posthaste/postgres';
import {
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
  callbackEventTopic,
} from '../events/callback-events.js';
import { EventFilters } from './event-filter.js';
import { SubscriptionList } from './subscription-list.js';

export interface EventInterestOptions {
  readonly db: Database;
  /** Wanted whatever the subscriptions; failures and disabled endpoints are anyway. */
  readonly always: readonly (CallbackEventName | 'all')[];
  /** How soon a new subscription counts, in ms. Default 500. */
  readonly refreshMs?: number | undefined;
  /**
   * The subscriptions cannot be read any more: those known before count on until they can. Told
   * once. Must not throw.
   */
  readonly onError: (error: unknown) => void;
}

/** Told of always: they are rare, and somebody will have to know. */
const essential: readonly CallbackEventName[] = ['callback.failed', 'endpoint.disabled'];

/**
 * Which events about callbacks are wanted: some always, the others as long as there is a
 * subscription that asks for them. Follows the subscriptions from its start to its end.
 */
export class EventInterest {
  readonly #options: EventInterestOptions;
  readonly #list = new SubscriptionList(new EventFilters());
  readonly #always: ReadonlySet<CallbackEventName>;
  #wanted: ReadonlySet<CallbackEventName>;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #failing = false;
  #closed = false;

  constructor(options: EventInterestOptions) {
    this.#options = options;
    const { always } = options;
    const named = always.flatMap((name) => (name === 'all' ? callbackEventNames : name));
    this.#always = new Set([...essential, ...named]);
    this.#wanted = this.#always;
  }

  readonly wants: CallbackEventSink['wants'] = (name) => this.#wanted.has(name);

  /**
   * Resolves when the subscriptions are known. To be called once.
   * @throws PlatformError `DATABASE_*` when they cannot be read now; it goes on trying
   */
  async start(): Promise<void> {
    // Where all are wanted anyway there is nothing to follow.
    if (this.#always.size === callbackEventNames.length) return;
    // The caller learns of the first failure.
    this.#failing = true;
    this.#looking = this.#look().finally(() => this.#lookLater());
    await this.#looking;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking?.catch(() => undefined);
  }

  async #look(): Promise<void> {
    const index = await this.#list.current(this.#options.db);
    const asked = callbackEventNames.filter((name) => index.asksFor(callbackEventTopic, name));
    this.#wanted = new Set([...this.#always, ...asked]);
    this.#failing = false;
  }

  #lookLater(): void {
    if (this.#closed) return;
    const { refreshMs = 500, onError } = this.#options;
    this.#timer = setTimeout(() => {
      const look = this.#look().catch((error: unknown) => {
        if (!this.#failing) onError(error);
        this.#failing = true;
      });
      this.#looking = look.finally(() => this.#lookLater());
    }, refreshMs).unref();
  }
}
