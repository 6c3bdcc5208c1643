import { AppSyncError } from './appsync-error.js';
import type { Authorize } from './config.js';
import type { ReceiveMessage, SendMessage, SubscriptionMessage } from './protocol.js';
import { errorsOf } from './protocol.js';
import type { Session } from './session.js';
import type { SubscribeOptions, Subscription } from './subscription.js';

/** Position up to which a subscription has got everything, with the extension `resume`. */
interface Place {
  readonly epoch: string;
  position: string;
}

/** Subscription at the server, with its consumers in this client. */
export class SharedSubscription {
  readonly channel: string;
  readonly consumers: Set<Subscription> = new Set();
  readonly ready: Promise<void>;
  readonly #settle: { resolve: () => void; reject: (error: unknown) => void };
  readonly #authorize: Authorize;
  readonly #presence: SubscribeOptions['presence'];
  /** Id at the server, another on each connection. */
  id = '';
  #place: Place | undefined;
  #wasSubscribed = false;
  #isEnded = false;

  constructor(channel: string, authorize: Authorize, presence: SubscribeOptions['presence']) {
    this.channel = channel;
    this.#authorize = authorize;
    this.#presence = presence;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#settle = { resolve, reject };
    promise.catch(() => undefined);
  }

  /**
   * Subscribes on a connection, again after a reconnect. Consumers learn of events that they may have
   * missed. @throws AppSyncError `server_error`, …
   */
  async start(session: Session, id: string): Promise<void> {
    this.id = id;
    const { channel } = this;
    const { extensions } = await session.ready;
    const body = JSON.stringify({ channel });
    const authorization = await this.#authorize({
      operation: 'subscribe',
      body,
      isRefused: false,
    });
    // All consumers may have left meanwhile, or another connection have begun.
    if (this.#isEnded || this.id !== id) return;
    const resume = this.#place;
    const message: SendMessage & { id: string } = {
      ...{ type: 'subscribe', id, channel, authorization },
      ...(resume && extensions.includes('resume') ? { resume } : {}),
      ...(this.#presence && extensions.includes('presence') ? { presence: this.#presence } : {}),
    };
    await session.request(message, { onAnswer: (frame) => this.#onSubscribed(frame) });
  }

  /** Notes the answer before the first event behind it. */
  #onSubscribed({ epoch, position, recovered }: ReceiveMessage): void {
    if (recovered !== true) {
      if (this.#wasSubscribed) this.#pushAll({ type: 'gap', event: '' });
      const isPlace = epoch !== undefined && position !== undefined;
      this.#place = isPlace ? { epoch, position } : undefined;
    }
    this.#wasSubscribed = true;
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
    this.#settle.reject(error ?? new AppSyncError('connection_closed', 'the client was closed'));
    for (const consumer of this.consumers) consumer.end(error);
  }

  #receivePresence({ event, members, member, data }: ReceiveMessage): void {
    if (event !== 'members' && event !== 'join' && event !== 'leave') return;
    const one = member === undefined ? [] : [{ member, ...(data === undefined ? {} : { data }) }];
    const change: 'members' | 'join' | 'leave' = event;
    const presence = { change, members: members ?? one };
    this.#pushAll({ type: 'presence', event: '', presence });
  }

  #pushAll(message: SubscriptionMessage): void {
    for (const consumer of this.consumers) consumer.push(message);
  }
}
