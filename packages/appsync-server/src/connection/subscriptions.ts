import type { ChannelPath } from '@posthaste/contracts';
import type { Broker } from '../hub/broker.js';
import { type Hub, Subscription, type SubscriptionOwner } from '../hub/hub.js';
import type { Namespace } from '../namespaces/namespace.js';
import type { Presence } from '../presence/presence.js';
import { type PresenceRequest, parsePresence } from '../presence/presence-request.js';
import { type Extensions, parseResume } from '../protocol/extensions.js';
import { errorText, type SubscriberPlace, subscribeSuccess } from '../protocol/frames.js';
import type { Limits } from '../protocol/limits.js';
import { type ErrorEntry, RealtimeError } from '../protocol/realtime-error.js';
import type { FrameVariant } from '../protocol/text-frame.js';
import type { CredentialInUse, Credentials } from './credentials.js';
import type { RealmCounts } from './realm-counts.js';
import { type ResumingSubscription, Resumption, type WaitBudget } from './resumption.js';
import type { Outlet } from './send-queue.js';
import { toSubscribeError } from './subscribing.js';

/** Longest time that the resuming subscriptions of a connection wait for the broker, in ms. */
const maxWaitMs = 15_000;

/** Parts of a server that subscriptions use. */
export interface SubscriptionsHost {
  readonly hub: Hub;
  readonly broker: Broker;
  readonly presence: Presence;
  readonly credentials: Credentials;
  readonly limits: Limits;
  readonly subscriptionCounts: RealmCounts;
  /** True answers denials with the types of AWS. */
  readonly strictAws: boolean;
  /** Converts an error to what the client is told. Reports those that are no refusals. */
  toEntry(error: unknown): ErrorEntry;
}

/** Subscribe that is allowed. */
export interface AllowedSubscribe {
  readonly id: string;
  readonly channel: ChannelPath;
  readonly namespace: Namespace;
  readonly credential: CredentialInUse;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly presence: PresenceRequest | undefined;
}

/** Subscriptions of one connection, from their acknowledgement on. */
export class Subscriptions implements SubscriptionOwner {
  readonly #host: SubscriptionsHost;
  readonly outlet: Outlet;
  readonly #byId = new Map<string, Subscription>();
  /** Subscriptions that have not got all that they missed. One after another gets it. */
  #resumptions: Map<string, Resumption> | undefined;
  #resuming: Promise<void> = Promise.resolve();
  #budget: WaitBudget = { leftMs: maxWaitMs };

  constructor(host: SubscriptionsHost, outlet: Outlet) {
    this.#host = host;
    this.outlet = outlet;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** @throws RealtimeError `MaxSubscriptionsReachedError` */
  checkCount(): void {
    const { subscriptionsPerConnection } = this.#host.limits;
    if (this.#byId.size < subscriptionsPerConnection) return;
    const message = `A connection has at most ${subscriptionsPerConnection} subscriptions.`;
    throw new RealtimeError('MaxSubscriptionsReachedError', 400, message);
  }

  /**
   * Reads what a subscriber wants of presence, and checks that there is place for it.
   * @throws RealtimeError `BadRequestException`, `LimitExceededError`
   */
  async checkPresence(
    channel: ChannelPath,
    { identity }: CredentialInUse,
    presence: unknown,
  ): Promise<PresenceRequest | undefined> {
    const request = parsePresence(presence, identity.id);
    if (request === undefined) return undefined;
    if (channel.isWildcard) {
      throw new RealtimeError('BadRequestException', 400, 'Presence is for exact channels only.');
    }
    const name = { realm: identity.realm, path: channel.path };
    if (request.member) await this.#host.presence.checkPlace(name, request.member);
    return request;
  }

  /**
   * Registers, then acknowledges: nothing that is published after the answer is lost.
   * @throws RealtimeError `LimitExceededError`
   */
  add(subscribe: AllowedSubscribe, extensions: Extensions | undefined): void {
    const { id, channel, namespace, fields, presence } = subscribe;
    this.#host.subscriptionCounts.add(subscribe.credential.identity.realm);
    const credential = this.#host.credentials.hold(subscribe.credential);
    const variant = variantOf(channel, extensions);
    const sink = this.outlet;
    const subscription = new Subscription({ id, credential, variant, sink, owner: this });
    this.#byId.set(id, subscription);
    const canResume = extensions?.has('resume') === true;
    const request = canResume ? parseResume(fields.resume) : undefined;
    const onAcknowledged = (): void => this.#enter(subscription, channel, presence);
    if (request !== undefined) {
      this.#resume(subscription, { channel, namespace, request, onAcknowledged });
      return;
    }
    this.#host.hub.add(subscription, channel);
    const { broker } = this.#host;
    const place: SubscriberPlace | undefined = canResume
      ? { epoch: broker.epoch, position: broker.position - 1n }
      : undefined;
    this.outlet.sendText(subscribeSuccess(id, place));
    onAcknowledged();
  }

  /** Returns false if there is no such subscription. */
  remove(id: string): boolean {
    const subscription = this.#byId.get(id);
    if (subscription === undefined) return false;
    this.#byId.delete(id);
    this.#drop(subscription);
    return true;
  }

  end({ id }: Subscription, reason: RealtimeError): void {
    if (!this.remove(id)) return;
    const entry = this.#host.toEntry(toSubscribeError(this.#host, reason));
    this.outlet.sendText(errorText('subscribe_error', id, entry));
  }

  /** True if none has lost its credential; undefined if there is none. */
  haveCredentials(now: number): boolean | undefined {
    if (this.#byId.size === 0) return undefined;
    for (const { credential } of this.#byId.values()) {
      if (!credential.isUsable(now)) return false;
    }
    return true;
  }

  /** Ends all. */
  close(): void {
    for (const subscription of this.#byId.values()) this.#drop(subscription);
    this.#byId.clear();
  }

  #enter(
    subscription: Subscription,
    { path }: ChannelPath,
    presence: PresenceRequest | undefined,
  ): void {
    if (presence === undefined) return;
    const { realm } = subscription.credential.identity;
    this.#host.presence.enter(subscription, { realm, path }, presence);
  }

  #resume(subscription: Subscription, wanted: Omit<ResumingSubscription, 'subscription'>): void {
    const { id } = subscription;
    const resumption = new Resumption(this.#host, this.outlet, { subscription, ...wanted });
    this.#resumptions ??= new Map();
    this.#resumptions.set(id, resumption);
    this.#resuming = this.#resuming.then(async () => {
      await resumption.run(this.#budget);
      if (this.#resumptions?.get(id) === resumption) this.#resumptions.delete(id);
      if (this.#resumptions?.size === 0) this.#budget = { leftMs: maxWaitMs };
    });
  }

  #drop(subscription: Subscription): void {
    this.#resumptions?.get(subscription.id)?.end();
    this.#resumptions?.delete(subscription.id);
    this.#host.hub.remove(subscription);
    this.#host.presence.leave(subscription);
    this.#host.subscriptionCounts.remove(subscription.credential.identity.realm);
    this.#host.credentials.release(subscription.credential);
  }
}

function variantOf(channel: ChannelPath, extensions: Extensions | undefined): FrameVariant {
  if (extensions === undefined) return 0;
  const position = extensions.has('resume') ? 1 : 0;
  const path = extensions.has('channel') && channel.isWildcard ? 2 : 0;
  return (position + path) as FrameVariant;
}
