import {
  AppSyncError,
  isRefusal,
  toAppSyncError,
  toEnded,
  toServerError,
} from './appsync-error.js';
import { newOperationId } from './client-options.js';
import { withDeadline } from './deadline.js';
import { errorsOf, normaliseChannel, type ReceiveMessage } from './protocol.js';
import type { Session } from './session.js';
import { SharedSubscription, type SubscriptionContext } from './shared-subscription.js';
import { type SubscribeOptions, Subscription } from './subscription.js';

/** Parts of a client that its channels need. */
export interface ChannelTableOptions extends SubscriptionContext {
  /** Returns the session while it is open. */
  readonly openSession: () => Session | undefined;
  /** Returns the wait after so many attempts to subscribe again that failed, in ms. */
  readonly backoffMs: (attempts: number) => number;
}

/** Subscriptions of a client. */
export class ChannelTable {
  readonly #options: ChannelTableOptions;
  /** By normalised channel. */
  readonly #channels = new Map<string, SharedSubscription>();
  /** By their id on the connection: every frame is looked up here. */
  readonly #byId = new Map<string, SharedSubscription>();
  /** Attempts to subscribe: true if the server has acknowledged. */
  readonly #starts = new WeakMap<SharedSubscription, Promise<boolean>>();

  constructor(options: ChannelTableOptions) {
    this.#options = options;
  }

  /** Adds a consumer of a channel. @throws AppSyncError `subscription_called`, `context_ended` */
  subscribe(channel: string, options: SubscribeOptions): Subscription {
    const { signal, exclusive, presence } = options;
    if (signal?.aborted) throw toEnded(signal);
    const path = normaliseChannel(channel);
    const known = this.#channels.get(path);
    const isOther = presence && JSON.stringify(presence) !== JSON.stringify(known?.presence);
    if (known && (exclusive || isOther)) {
      const how = exclusive ? '' : ' with other presence';
      throw new AppSyncError('subscription_called', `${path} is subscribed to already${how}`);
    }
    const shared = known ?? new SharedSubscription(path, presence, this.#options);
    const owner = {
      ready: shared.ready,
      leave: (subscription: Subscription) => this.#leave(shared, subscription),
    };
    const subscription = new Subscription(path, owner, options);
    shared.consumers.add(subscription);
    if (!known) {
      this.#channels.set(path, shared);
      const session = this.#options.openSession();
      if (session) this.#start(shared, session);
    }
    return subscription;
  }

  /** Subscribes to every channel on a new connection. */
  startAll(session: Session): void {
    for (const shared of this.#channels.values()) this.#start(shared, session);
  }

  /** Ends every subscription. */
  endAll(error: AppSyncError | undefined): void {
    const all = [...this.#channels.values()];
    this.#channels.clear();
    this.#byId.clear();
    for (const shared of all) shared.end(error);
  }

  /** Passes a frame on to the subscription with its id. */
  receive(frame: ReceiveMessage): void {
    if (frame.id === undefined) return;
    const shared = this.#byId.get(frame.id);
    if (shared && frame.type === 'subscribe_error') this.#endByServer(shared, frame);
    else if (shared) shared.receive(frame);
    // The acknowledgement came after its deadline: nobody wants the events any more.
    else if (frame.type === 'subscribe_success') this.#unsubscribe(frame.id).catch(() => undefined);
  }

  /** Ends a subscription that the server has ended, for example with its namespace. */
  #endByServer(shared: SharedSubscription, frame: ReceiveMessage): void {
    this.#forget(shared);
    shared.end(toServerError('the subscription', errorsOf(frame)));
  }

  #start(shared: SharedSubscription, session: Session, attempts = 0): void {
    const id = newOperationId();
    this.#options.clock.clearTimeout(shared.retry);
    this.#byId.delete(shared.id);
    this.#byId.set(id, shared);
    const started = shared.start(session, id);
    this.#starts.set(shared, started);
    started.catch((error: unknown) => {
      if (!this.#isWanted(shared)) return;
      const isOpen = this.#options.openSession() === session;
      // The next connection subscribes again, unless the server has refused.
      if (isRefusal(error) || (isOpen && !shared.wasSubscribed)) {
        this.#forget(shared);
        shared.end(toAppSyncError(error));
      } else if (isOpen) this.#retry(shared, session, attempts);
    });
  }

  /** Subscribes again later: a source of tokens that is away for a moment ends no subscription. */
  #retry(shared: SharedSubscription, session: Session, attempts: number): void {
    const { clock, backoffMs, openSession } = this.#options;
    shared.retry = clock.setTimeout(() => {
      if (openSession() === session) this.#start(shared, session, attempts + 1);
    }, backoffMs(attempts));
  }

  async #leave(shared: SharedSubscription, subscription: Subscription): Promise<void> {
    if (!shared.consumers.delete(subscription) || shared.consumers.size > 0) return;
    if (!this.#isWanted(shared)) return;
    this.#forget(shared);
    const session = this.#options.openSession();
    // AWS ignores an unsubscribe that comes before it has acknowledged.
    const isSubscribed = session && (await this.#starts.get(shared)?.catch(() => false));
    shared.end();
    if (!isSubscribed) return;
    await this.#unsubscribe(shared.id).catch((error: unknown) => {
      // With the connection, the subscription is over too.
      if (this.#options.openSession() === session) throw error;
    });
  }

  async #unsubscribe(id: string): Promise<void> {
    const session = this.#options.openSession();
    const { clock, timeoutMs } = this.#options;
    const deadline = { clock, timeoutMs, what: 'the unsubscribe' };
    await withDeadline(
      async (signal) => session?.request({ type: 'unsubscribe', id }, { signal }),
      deadline,
    );
  }

  #isWanted(shared: SharedSubscription): boolean {
    return this.#channels.get(shared.channel) === shared;
  }

  #forget(shared: SharedSubscription): void {
    this.#channels.delete(shared.channel);
    this.#byId.delete(shared.id);
  }
}
