import { type ChannelPath, toChannelSegment } from '@posthaste/contracts';
import { isDerivedTopic } from './mirror-channels.js';

/** Subscription, or several to one path, that a topic is read for. */
export interface Interest {
  readonly realm: string;
  readonly channel: ChannelPath;
  /** Segment of the topic; undefined for all topics. */
  readonly topic: string | undefined;
}

/** Interests at the same time. One application may have half of them. */
const maxInterests = 50_000;
/** Time between two searches for interests without subscribers, in ms. */
const sweepMs = 1_000;

/** Paths of the mirror that somebody on this node is subscribed to, or is about to be. */
export class MirrorInterests {
  readonly #isSubscribed: (interest: Interest) => boolean;
  readonly #graceMs: number;
  readonly #interests = new Map<string, Interest & { readonly until: number }>();
  /** Number of interests by realm. */
  readonly #counts = new Map<string, number>();
  /** Segments of the topics that are wanted, and true if all are. */
  readonly #segments = new Set<string>();
  #wantsAll = false;
  #sweptAt = 0;

  /** @param graceMs time from the question for an interest to its subscription, at most */
  constructor(isSubscribed: (interest: Interest) => boolean, graceMs: number) {
    this.#isSubscribed = isSubscribed;
    this.#graceMs = graceMs;
  }

  get size(): number {
    return this.#interests.size;
  }

  /** True if one interest more of the realm is one too many. */
  isFull(realm: string): boolean {
    const own = this.#counts.get(realm) ?? 0;
    return this.size >= maxInterests || own >= maxInterests / 2;
  }

  /** True if the topic with this segment is to be read. */
  includes(topic: string, segment = ''): boolean {
    return this.#segments.has(segment) || (this.#wantsAll && !isDerivedTopic(topic));
  }

  /** True if somebody of the realm may be interested in any event of the topic. */
  isInterested(realm: string, topic: string): boolean {
    const segment = toChannelSegment(topic);
    return [...this.#interests.values()].some(
      (each) => each.realm === realm && (each.topic === undefined || each.topic === segment),
    );
  }

  add(interest: Interest): void {
    const key = `${interest.realm}\n${interest.channel.path}`;
    if (!this.#interests.has(key)) this.#count(interest, 1);
    this.#interests.set(key, { ...interest, until: performance.now() + this.#graceMs });
    this.#want(interest);
  }

  /** Forgets interests without subscribers, if it has not done so for some time. */
  sweep(): void {
    const now = performance.now();
    if (now - this.#sweptAt < sweepMs) return;
    this.#sweptAt = now;
    this.#segments.clear();
    this.#wantsAll = false;
    for (const [key, interest] of this.#interests) {
      if (now < interest.until || this.#isSubscribed(interest)) this.#want(interest);
      else {
        this.#interests.delete(key);
        this.#count(interest, -1);
      }
    }
  }

  #want({ topic }: Interest): void {
    if (topic === undefined) this.#wantsAll = true;
    else this.#segments.add(topic);
  }

  #count({ realm }: Interest, change: 1 | -1): void {
    const count = (this.#counts.get(realm) ?? 0) + change;
    if (count === 0) this.#counts.delete(realm);
    else this.#counts.set(realm, count);
  }
}
