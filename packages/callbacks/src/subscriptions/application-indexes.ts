import type { SubscribedEvent } from '../events/subscribed-event.js';

/** Most names of events whose answer is kept. */
const maxKnownNames = 10_000;

/** The subscriptions of one application. */
export interface ApplicationIndex<Target> {
  /** True if a subscription matches events of this name in this topic. */
  matchesName(topic: string, name: string): boolean;
  /** Finds the targets that get the event, each once. */
  findTargets(event: SubscribedEvent): Target[];
}

/**
 * The subscriptions of each application. An event matches those of its own application only, and its
 * cost does not grow with those of others.
 */
export class ApplicationIndexes<Target> {
  readonly #indexes: ReadonlyMap<string, ApplicationIndex<Target>>;
  /** Answers of `matchesName`, by topic and name: consecutive events have few. */
  readonly #known = new Map<string, boolean>();

  constructor(indexes: ReadonlyMap<string, ApplicationIndex<Target>>) {
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

  /** Finds the endpoints of the event's application that get it, each once. */
  findTargets(event: SubscribedEvent): Target[] {
    return this.#indexes.get(event.application)?.findTargets(event) ?? [];
  }
}
