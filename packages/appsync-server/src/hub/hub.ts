import type { ChannelPath } from '@posthaste/contracts';
import type { CredentialInUse } from '../connection/credentials.js';
import type { FrameSink } from '../connection/send-queue.js';
import type { RealtimeError } from '../protocol/realtime-error.js';
import { EventFrames, type FrameVariant, type SharedFrame } from '../protocol/text-frame.js';
import type { ChannelCount, DeliveryChoice, RealmChannelCount } from '../server-options.js';
import type { DeliveredBatch } from './broker.js';

/** Subscriptions to one path of one realm. */
export interface SubscribedPath {
  readonly realm: string;
  readonly channel: ChannelPath;
  /** In no set order. */
  readonly subscriptions: Subscription[];
}

/** Connection of a subscription, as far as the server ends subscriptions by itself. */
export interface SubscriptionOwner {
  /** Gets frames for the client. */
  readonly outlet: FrameSink;
  /** Ends the subscription with an error for the client. */
  end(subscription: Subscription, reason: RealtimeError): void;
}

/** Subscription of one connection. Gets events from `Hub.add` to `Hub.remove`. */
export class Subscription {
  /** Set while the hub has it. */
  place: SubscribedPath | undefined;
  /** Index in `place.subscriptions`. */
  index = 0;
  readonly id: string;
  readonly credential: CredentialInUse;
  readonly variant: FrameVariant;
  /** Gets the data frames: the connection, or what holds them back until missed events are sent. */
  sink: FrameSink;
  readonly owner: SubscriptionOwner;

  constructor({ id, credential, variant, sink, owner }: SubscriptionOptions) {
    this.id = id;
    this.credential = credential;
    this.variant = variant;
    this.sink = sink;
    this.owner = owner;
  }
}

/** Options of a {@link Subscription}. */
export interface SubscriptionOptions {
  readonly id: string;
  readonly credential: CredentialInUse;
  readonly variant: FrameVariant;
  readonly sink: FrameSink;
  /** Connection that it belongs to. */
  readonly owner: SubscriptionOwner;
}

/** Subscriptions of this node, by realm and path. */
export class Hub {
  readonly #paths = new Map<string, SubscribedPath>();
  #wildcards = 0;
  /** Subscriptions at present. */
  subscriptions = 0;
  /** Data frames that were queued for subscribers. */
  messages = 0;

  add(subscription: Subscription, channel: ChannelPath): void {
    const { realm } = subscription.credential.identity;
    const key = `${realm}\n${channel.path}`;
    let place = this.#paths.get(key);
    if (place === undefined) {
      place = { realm, channel, subscriptions: [] };
      this.#paths.set(key, place);
      if (channel.isWildcard) this.#wildcards += 1;
    }
    subscription.place = place;
    subscription.index = place.subscriptions.push(subscription) - 1;
    this.subscriptions += 1;
  }

  /** Does nothing for a subscription that is not in the hub. */
  remove(subscription: Subscription): void {
    const { place, index } = subscription;
    if (place === undefined) return;
    subscription.place = undefined;
    this.subscriptions -= 1;
    const last = place.subscriptions.pop();
    if (last !== undefined && last !== subscription) {
      place.subscriptions[index] = last;
      last.index = index;
    }
    if (place.subscriptions.length > 0) return;
    this.#paths.delete(`${place.realm}\n${place.channel.path}`);
    if (place.channel.isWildcard) this.#wildcards -= 1;
  }

  /** Queues the events for the subscribers of the channel, and returns the number of messages. */
  deliver(batch: DeliveredBatch, now: number, choice?: DeliveryChoice): number {
    const places = this.#placesOf(batch.realm, batch.channel, choice?.wildcardDepth);
    if (places.length === 0) return 0;
    const channel = batch.channel.path;
    let { position } = batch;
    let messages = 0;
    for (const { event } of batch.events) {
      const frames = new EventFrames(event, channel, position);
      for (const place of places) messages += sendToAll(frames, choose(place, choice), now);
      if (position !== undefined) position += 1n;
    }
    this.messages += messages;
    return messages;
  }

  /** True if a subscription of this node gets what is published to the channel. */
  hasSubscribers(realm: string, channel: ChannelPath): boolean {
    return this.#placesOf(realm, channel).length > 0;
  }

  /** Lists the subscribed paths of a realm, wildcards included. */
  channels(realm: string): ChannelCount[] {
    return [...this.#paths.values()]
      .filter((place) => place.realm === realm)
      .map(({ channel, subscriptions }) => ({
        channel: channel.path,
        subscribers: subscriptions.length,
      }));
  }

  /** Lists the subscribed paths of all realms. */
  listAll(): RealmChannelCount[] {
    return Array.from(this.#paths.values(), ({ realm, channel, subscriptions }) => ({
      realm,
      channel: channel.path,
      subscribers: subscriptions.length,
    }));
  }

  /** Lists the subscribed paths of all realms with their subscriptions. */
  listPaths(): SubscribedPath[] {
    return [...this.#paths.values()];
  }

  #placesOf(realm: string, channel: ChannelPath, wildcardDepth = 1): SubscribedPath[] {
    const places: SubscribedPath[] = [];
    const exact = this.#paths.get(`${realm}\n${channel.path}`);
    if (exact !== undefined) places.push(exact);
    if (this.#wildcards === 0) return places;
    let above = `${realm}\n`;
    let depth = 0;
    for (const segment of channel.segments.slice(0, -1)) {
      above += `/${segment}`;
      depth += 1;
      if (depth < wildcardDepth) continue;
      const wildcard = this.#paths.get(`${above}/*`);
      if (wildcard !== undefined) places.push(wildcard);
    }
    return places;
  }
}

function choose({ subscriptions }: SubscribedPath, choice?: DeliveryChoice): Subscription[] {
  const isFor = choice?.isFor;
  if (isFor === undefined) return subscriptions;
  return subscriptions.filter(({ credential }) => isFor(credential.identity));
}

/** Runs once per message, so nothing is allocated here but the text. */
function sendToAll(frames: EventFrames, subscriptions: Subscription[], now: number): number {
  let messages = 0;
  let variant: FrameVariant | undefined;
  let frame: SharedFrame | undefined;
  for (const subscription of subscriptions) {
    if (!subscription.credential.isUsable(now)) continue;
    if (frame === undefined || subscription.variant !== variant) {
      variant = subscription.variant;
      frame = frames.of(variant);
    }
    const { sink } = subscription;
    sink.frames = frame.appendTo(sink.frames, subscription.id);
    sink.appended();
    messages += 1;
  }
  return messages;
}
