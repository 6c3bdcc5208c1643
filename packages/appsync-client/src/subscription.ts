import { AppSyncError } from './appsync-error.js';
import { ItemQueue, type OverflowPolicy } from './item-queue.js';
import { callListener } from './listener.js';
import type { SubscriptionMessage } from './protocol.js';

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /** Aborting it unsubscribes; a subscription that is pending is removed at the server too. */
  readonly signal?: AbortSignal;
  /** True fails with `subscription_called` if the client has subscribed to the channel already. */
  readonly exclusive?: boolean;
  /** Most items that wait for the consumer. Default 1,000. */
  readonly maxQueued?: number;
  /** Default `drop-oldest`. */
  readonly overflow?: OverflowPolicy;
  /** Called with each item, instead of iteration. What it throws ends the subscription. */
  readonly onMessage?: (message: SubscriptionMessage) => void;
  /** Called once, when the subscription is over: with the error, if it did not end on purpose. */
  readonly onEnd?: (error?: AppSyncError) => void;
  /** Makes this client a member of the channel, or lets it watch (`{}`). Needs the extension. */
  readonly presence?: { readonly member?: string; readonly data?: unknown };
}

/** JSON of an event, or the reason why it is none. Items of other types are passed on. */
export type ParsedEvent<Event> =
  | { readonly type: 'data'; readonly event: Event; readonly channel?: string }
  | { readonly type: 'invalid'; readonly text: string; readonly error: unknown }
  | { readonly type: 'gap' }
  | (SubscriptionMessage & { readonly type: 'broadcast_error' | 'presence' });

/** Client of a subscription, as far as it is used. */
export interface SubscriptionOwner {
  /** Resolves when the server has acknowledged. */
  readonly ready: Promise<void>;
  /** Leaves the channel: at the server too, if no other subscription is left. */
  leave(subscription: Subscription): Promise<void>;
}

const gap: SubscriptionMessage = { type: 'gap', event: '' };

/** One consumer of a channel. Several of one client share a subscription at the server. */
export class Subscription implements AsyncIterable<SubscriptionMessage>, AsyncDisposable {
  readonly channel: string;
  /** Resolves when the server has acknowledged; rejects with the reason if it refuses. */
  readonly ready: Promise<void>;
  readonly #owner: SubscriptionOwner;
  readonly #queue: ItemQueue<SubscriptionMessage>;
  readonly #options: SubscribeOptions;
  #unsubscribing: Promise<void> | undefined;
  #isEnded = false;

  constructor(channel: string, owner: SubscriptionOwner, options: SubscribeOptions) {
    const { maxQueued = 1_000, overflow = 'drop-oldest', signal } = options;
    this.channel = channel;
    this.#owner = owner;
    this.#options = options;
    this.#queue = new ItemQueue(maxQueued, overflow, gap);
    this.ready = owner.ready;
    this.ready.catch(() => undefined);
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Items that were dropped because the consumer was slow. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /**
   * Ends the subscription, behind the items that wait.
   * @throws AppSyncError `unsubscription_called` for a second call, `server_error`
   */
  unsubscribe(): Promise<void> {
    if (this.#unsubscribing) {
      return Promise.reject(
        new AppSyncError('unsubscription_called', `${this.channel} is unsubscribed already`),
      );
    }
    return this.#leave();
  }

  /** Iterates over the events as parsed JSON; one that is no JSON is an item of type `invalid`. */
  json<Event = unknown>(): AsyncGenerator<ParsedEvent<Event>> {
    return parseEvents(this, (value) => value as Event);
  }

  [Symbol.asyncIterator](): AsyncIterator<SubscriptionMessage> {
    return {
      next: () => this.#queue.next(),
      return: async () => {
        await this.#leave().catch(() => undefined);
        return { value: undefined, done: true };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave().catch(() => undefined);
  }

  /** Adds an item. For the client only. */
  push(message: SubscriptionMessage): void {
    if (this.#unsubscribing) return;
    const { onMessage } = this.#options;
    const error = onMessage ? callListener(() => onMessage(message)) : this.#queue.push(message);
    if (error) void this.#leave(error).catch(() => undefined);
  }

  /** Ends the iteration. For the client only. */
  end(error?: AppSyncError): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { signal, onEnd } = this.#options;
    signal?.removeEventListener('abort', this.#onAbort);
    this.#queue.end(error);
    callListener(() => onEnd?.(error));
  }

  readonly #onAbort = (): void => void this.#leave().catch(() => undefined);

  #leave(error?: AppSyncError): Promise<void> {
    this.#unsubscribing ??= this.#owner.leave(this).finally(() => this.end(error));
    return this.#unsubscribing;
  }
}

/** Iterates over the events of a subscription, converted; one that cannot be is an item. */
export async function* parseEvents<Event>(
  subscription: AsyncIterable<SubscriptionMessage>,
  convert: (value: unknown) => Event | Promise<Event>,
): AsyncGenerator<ParsedEvent<Event>> {
  for await (const message of subscription) {
    const { type, event, channel } = message;
    if (type === 'gap') yield { type };
    else if (type !== 'data') yield { ...message, type };
    if (type !== 'data') continue;
    try {
      const converted = await convert(JSON.parse(event));
      yield { type, event: converted, ...(channel === undefined ? {} : { channel }) };
    } catch (error) {
      yield { type: 'invalid', text: event, error };
    }
  }
}
