import { AppSyncError } from './appsync-error.js';
import { type Authorize, withRenewal } from './authorize.js';
import type { Clock } from './clock.js';
import {
  errorsOf,
  listOf,
  type ReceiveMessage,
  type SendMessage,
  type SubscriptionMessage,
} from './protocol.js';
import type { Session } from './session.js';
import type { SubscribeOptions, Subscription } from './subscription.js';

/** Position up to which a subscription has got everything, with the extension `resume`. */
interface Place {
  readonly epoch: string;
  position: string;
}

/** Parts of a client that its subscriptions need. */
export interface SubscriptionContext {
  readonly authorize: Authorize;
  readonly clock: Clock;
  /** Longest time until the server acknowledges, in ms. */
  readonly timeoutMs: number;
}

/** Subscription at the server, with its consumers in this client. */
export class SharedSubscription {
  readonly channel: string;
  readonly presence: SubscribeOptions['presence'];
  readonly consumers: Set<Subscription> = new Set();
  readonly ready: Promise<void>;
  readonly #settle: { resolve: () => void; reject: (error: unknown) => void };
  readonly #context: SubscriptionContext;
  /** Id at the server, another on each connection. */
  id = '';
  /** Timer of the next attempt to subscribe again. */
  retry: unknown;
  /** True if the server has acknowledged once. */
  wasSubscribed = false;
  #place: Place | undefined;
  #isEnded = false;

  constructor(
    channel: string,
    presence: SubscribeOptions['presence'],
    context: SubscriptionContext,
  ) {
    this.channel = channel;
    this.presence = presence;
    this.#context = context;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#settle = { resolve, reject };
    promise.catch(() => undefined);
  }

  /**
   * Subscribes on a connection, again after a reconnect. Consumers learn of events that they may have
   * missed.
   * @returns false if nobody wanted it any more, before anything was sent
   * @throws AppSyncError `server_error`, …
   */
  async start(session: Session, id: string): Promise<boolean> {
    this.id = id;
    const { channel, presence } = this;
    const { extensions } = await session.ready;
    const { authorize, ...limits } = this.#context;
    const body = JSON.stringify({ channel });
    const deadline = { ...limits, what: `the subscribe to ${channel}` };
    const operation = { operation: 'subscribe', body, deadline } as const;
    return withRenewal(authorize, operation, async (authorization, signal) => {
      // All consumers may have left meanwhile, or another connection have begun.
      if (this.#isEnded || this.id !== id || this.consumers.size === 0) return false;
      const resume = this.#place;
      const message: SendMessage & { id: string } = {
        ...{ type: 'subscribe', id, channel, authorization },
        ...(resume && extensions.includes('resume') ? { resume } : {}),
        ...(presence && extensions.includes('presence') ? { presence } : {}),
      };
      await session.request(message, { signal, onAnswer: (frame) => this.#onSubscribed(frame) });
      return true;
    });
  }

  /** Notes the answer before the first event behind it. */
  #onSubscribed({ epoch, position, recovered }: ReceiveMessage): void {
    if (recovered !== true && this.wasSubscribed) this.#pushAll({ type: 'gap', event: '' });
    // Of a quiet channel only the answer brings a new position, before the old one is too old.
    if (epoch !== undefined && position !== undefined) this.#place = { epoch, position };
    else if (recovered !== true) this.#place = undefined;
    this.wasSubscribed = true;
    this.#settle.resolve();
  }

  /** Passes a frame of this subscription on. A list of events becomes an item for each. */
  receive(frame: ReceiveMessage): void {
    const { type, event, channel, position } = frame;
    if (type === 'presence') this.#receivePresence(frame);
    if (type === 'broadcast_error') this.#pushAll({ type, event: '', errors: errorsOf(frame) });
    if (type !== 'data') return;
    if (position !== undefined && this.#place) this.#place.position = position;
    for (const each of Array.isArray(event) ? event : [event]) {
      const text = typeof each === 'string' ? each : JSON.stringify(each ?? null);
      this.#pushAll({ type, event: text, ...(channel === undefined ? {} : { channel }) });
    }
  }

  /** Ends all consumers. */
  end(error?: AppSyncError): void {
    this.#isEnded = true;
    this.#context.clock.clearTimeout(this.retry);
    this.#settle.reject(error ?? new AppSyncError('connection_closed', 'the client was closed'));
    for (const consumer of this.consumers) consumer.end(error);
  }

  #receivePresence({ event, members, member, data }: ReceiveMessage): void {
    if (event !== 'members' && event !== 'join' && event !== 'leave') return;
    const one = member === undefined ? [] : [{ member, ...(data === undefined ? {} : { data }) }];
    const change: 'members' | 'join' | 'leave' = event;
    const presence = { change, members: members === undefined ? one : listOf(members) };
    this.#pushAll({ type: 'presence', event: '', presence });
  }

  #pushAll(message: SubscriptionMessage): void {
    for (const consumer of this.consumers) consumer.push(message);
  }
}
