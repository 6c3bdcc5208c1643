import type { ConsumerName } from '../consume/observer.js';

/** Which event names each consumer was asked for. */
export class EventNames {
  readonly #names = new Map<string, Set<string>>();

  add(consumer: ConsumerName, eventName: string): void {
    const key = toKey(consumer);
    const names = this.#names.get(key) ?? new Set();
    this.#names.set(key, names.add(eventName));
  }

  /** As one text, for a label. */
  of(consumer: ConsumerName): string {
    return [...(this.#names.get(toKey(consumer)) ?? [])].sort().join();
  }
}

/** A space is in no topic. */
function toKey({ topic, groupId }: ConsumerName): string {
  return `${topic} ${groupId}`;
}
