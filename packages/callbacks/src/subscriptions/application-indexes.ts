import type { SubscribedEvent } from '../events/subscribed-event.js';

/** Most names of events whose answer is kept. */
const maxKnownNames = 10_000;

/** The subscriptions of one application. */
export interface ApplicationIndex<Found> {
  /** True if a subscription matches events of this name in this topic. */
  matchesName(topic: string, name: string): boolean;
  /** Finds the subscriptions to the event, whatever their filters. */
  findSubscriptions(event: SubscribedEvent): Found[];
}

/**
 * The subscriptions of each application. An event matches those of its own application only, and its
 * cost does not grow with those of others.
 */
export class ApplicationIndexes<Found> {
  readonly #indexes: ReadonlyMap<string, ApplicationIndex<Found>>;
  /** Answers of `matchesName`, by topic and name: consecutive events have few. */
  readonly #known = new Map<string, boolean>();

  constructor(indexes: ReadonlyMap<string, ApplicationIndex<Found>>) {
    this.#indexes = indexes;
  }

  /** True if there is no subscription at all. */
  get isEmpty(): boolean {
    return this.#indexes.size === 0;
  }

  /** True if a subscription of any application matches events of this name in this topic. */
  matchesName(topic: string, name: string): boolean {
    const key = `${topic}\0${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const matches = [...this.#indexes.values()].some((index) => index.matchesName(topic, name));
    if (this.#known.size >= maxKnownNames) this.#known.clear();
    this.#known.set(key, matches);
    return matches;
  }

  /** Number of applications that have subscriptions. */
  get applicationCount(): number {
    return this.#indexes.size;
  }

  /** Finds the subscriptions of the event's application to it, whatever their filters. */
  findSubscriptions(event: SubscribedEvent): Found[] {
    return this.#indexes.get(event.application)?.findSubscriptions(event) ?? [];
  }
}
