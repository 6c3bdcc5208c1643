import {
  type CallbackEventName,
  callbackEventNames,
  callbackEventTopic,
} from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { CallbackEventSink } from '../events/callback-events.js';
import { SubscriptionList } from './subscription-list.js';

/** Options of {@link WantedEvents}. */
export interface WantedEventsOptions {
  readonly db: Database;
  /** Events wanted without a subscription, besides failures and disabled endpoints. */
  readonly always: readonly (CallbackEventName | 'all')[];
  /** Time after which a new subscription counts, in ms. Default 500. */
  readonly refreshMs?: number | undefined;
  /**
   * Called once when the subscriptions can no longer be read. The ones read before count until they
   * can be read again. Must not throw.
   */
  readonly onError: (error: unknown) => void;
}

/** Events that are always wanted: they are rare, and operators must learn of them. */
const alwaysWanted: readonly CallbackEventName[] = ['callback.failed', 'endpoint.disabled'];

/**
 * The set of events about callbacks that are wanted: some always, the others while a subscription
 * asks for them. It follows the subscriptions from `start` to `close`.
 */
export class WantedEvents {
  readonly #options: WantedEventsOptions;
  readonly #list = new SubscriptionList();
  readonly #always: ReadonlySet<CallbackEventName>;
  #wanted: ReadonlySet<CallbackEventName>;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #failing = false;
  #closed = false;

  constructor(options: WantedEventsOptions) {
    this.#options = options;
    const configured = options.always.flatMap((name) =>
      name === 'all' ? callbackEventNames : name,
    );
    this.#always = new Set([...alwaysWanted, ...configured]);
    this.#wanted = this.#always;
  }

  readonly wants: CallbackEventSink['wants'] = (name) => this.#wanted.has(name);

  /**
   * Resolves when the subscriptions are read. To be called once.
   * @throws PlatformError `DATABASE_*` when they cannot be read now; it keeps trying
   */
  async start(): Promise<void> {
    // When all are wanted in any case, there is nothing to follow.
    if (this.#always.size === callbackEventNames.length) return;
    // The caller gets the first failure, so `onError` does not.
    this.#failing = true;
    this.#refreshing = this.#refresh().finally(() => this.#scheduleRefresh());
    await this.#refreshing;
  }

  /** Stops following the subscriptions. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#refreshing?.catch(() => undefined);
  }

  async #refresh(): Promise<void> {
    const index = await this.#list.current(this.#options.db);
    const subscribed = callbackEventNames.filter((name) =>
      index.matchesName(callbackEventTopic, name),
    );
    this.#wanted = new Set([...this.#always, ...subscribed]);
    this.#failing = false;
  }

  #scheduleRefresh(): void {
    if (this.#closed) return;
    const { refreshMs = 500, onError } = this.#options;
    this.#timer = setTimeout(() => {
      const refresh = this.#refresh().catch((error: unknown) => {
        if (!this.#failing) onError(error);
        this.#failing = true;
      });
      this.#refreshing = refresh.finally(() => this.#scheduleRefresh());
    }, refreshMs).unref();
  }
}
