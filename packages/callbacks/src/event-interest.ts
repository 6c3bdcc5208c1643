import type { Database } from '@posthaste/postgres';
import {
  type CallbackEventName,
  type CallbackEventSink,
  callbackEventNames,
  callbackEventTopic,
} from './callback-events.js';
import { EventFilters } from './event-filter.js';
import { SubscriptionList } from './subscription-list.js';

export interface EventInterestOptions {
  readonly db: Database;
  /** Wanted whatever the subscriptions; failures and disabled endpoints are anyway. */
  readonly always: readonly (CallbackEventName | 'all')[];
  /** How soon a new subscription counts, in ms. Default 500. */
  readonly refreshMs?: number | undefined;
  /** The subscriptions could not be read: those known before count on. Must not throw. */
  readonly onError: (error: unknown) => void;
}

/** Told of always: they are rare, and somebody will have to know. */
const essential: readonly CallbackEventName[] = ['callback.failed', 'endpoint.disabled'];

/**
 * Which events about callbacks are wanted: some always, the others as long as there is a
 * subscription that asks for them. Follows the subscriptions from its making to its end.
 */
export class EventInterest {
  readonly #options: EventInterestOptions;
  readonly #list = new SubscriptionList(new EventFilters());
  readonly #always: ReadonlySet<CallbackEventName>;
  #wanted: ReadonlySet<CallbackEventName>;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #closed = false;

  constructor(options: EventInterestOptions) {
    this.#options = options;
    const { always } = options;
    const named = always.flatMap((name) => (name === 'all' ? callbackEventNames : name));
    this.#always = new Set([...essential, ...named]);
    this.#wanted = this.#always;
    // What is always wanted needs no asking.
    if (this.#always.size < callbackEventNames.length) void this.refresh();
  }

  readonly wants: CallbackEventSink['wants'] = (name) => this.#wanted.has(name);

  /** Looks at the subscriptions at once. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const { db, refreshMs = 500, onError } = this.#options;
    clearTimeout(this.#timer);
    try {
      const index = await this.#list.current(db);
      const asked = callbackEventNames.filter((name) => index.asksFor(callbackEventTopic, name));
      this.#wanted = new Set([...this.#always, ...asked]);
    } catch (error) {
      onError(error);
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.refresh(), refreshMs).unref();
  }
}
