import type { ConsumeObserver, ConsumerName } from '../consume/observer.js';
import { ConsumeStats } from '../metrics/consume-stats.js';
import { PublishStats } from '../metrics/publish-stats.js';
import type { PublishObserver } from '../publish/publish-observer.js';
import { logConsuming, logPublishing, type StreamLogger } from './stream-log.js';

/**
 * Statistics of a client, and the observers of its parts, which update them and then write the log.
 */
export interface ClientObservers {
  readonly published: PublishStats;
  readonly consumed: ConsumeStats;
  readonly publishing: PublishObserver;
  readonly consuming: ConsumeObserver;
}

/** Creates the observers of a client. @param now clock, in ms since 1970 */
export function createObservers(log: StreamLogger, now: () => number = Date.now): ClientObservers {
  const published = new PublishStats();
  const consumed = new ConsumeStats(now);
  const publishLog = logPublishing(log);
  const consumeLog = logConsuming(log);
  return {
    published,
    consumed,
    publishing: {
      batchWritten: (batch) => published.batchWritten(batch),
      writeFailed(write) {
        published.writeFailed(write);
        publishLog.writeFailed?.(write);
      },
      eventFailed(topic, code) {
        published.eventFailed(topic, code);
        publishLog.eventFailed?.(topic, code);
      },
    },
    consuming: {
      finished: (consumer, record, outcome) => consumed.finished(consumer, record, outcome),
      callFailed(consumer, call) {
        consumed.callFailed(consumer);
        consumeLog.callFailed(consumer, call);
      },
      partitionBlocked: (consumer, write) => consumeLog.partitionBlocked(consumer, write),
      partitionUnblocked: (consumer, record) => consumeLog.partitionUnblocked(consumer, record),
      commitFailed(consumer, error) {
        consumed.commitFailed(consumer);
        consumeLog.commitFailed(consumer, error);
      },
      recordsLost(consumer, lost) {
        consumed.recordsLost(consumer, lost);
        consumeLog.recordsLost(consumer, lost);
      },
      interrupted(consumer, error) {
        consumed.interrupted(consumer);
        consumeLog.interrupted(consumer, error);
      },
    },
  };
}

/** Event names of each consumer's registrations, for a label of metrics. */
export class RegisteredEventNames {
  readonly #names = new Map<string, Set<string>>();

  add(consumer: ConsumerName, eventName: string): void {
    const key = toKey(consumer);
    const names = this.#names.get(key) ?? new Set();
    this.#names.set(key, names.add(eventName));
  }

  /** Returns the names as one text. */
  of(consumer: ConsumerName): string {
    return [...(this.#names.get(toKey(consumer)) ?? [])].sort().join();
  }
}

/** Returns a key for the name. Topics contain no space. */
function toKey({ topic, groupId }: ConsumerName): string {
  return `${topic} ${groupId}`;
}
