import type { ConsumeObserver } from '../consume/observer.js';
import { ConsumeStats } from '../metrics/consume-stats.js';
import { PublishStats } from '../metrics/publish-stats.js';
import type { PublishObserver } from '../publish/publish-observer.js';
import { logConsuming, logPublishing, type StreamLogger } from './stream-log.js';

/** What a client counts, and whom its parts tell: counters first, then the log. */
export interface ClientObservers {
  readonly published: PublishStats;
  readonly consumed: ConsumeStats;
  readonly publishing: PublishObserver;
  readonly consuming: ConsumeObserver;
}

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
      attemptFailed(consumer, record, attempt, error) {
        consumed.attemptFailed(consumer);
        consumeLog.attemptFailed(consumer, record, attempt, error);
      },
      partitionBlocked: (consumer, record, topic, error) =>
        consumeLog.partitionBlocked(consumer, record, topic, error),
      partitionUnblocked: (consumer, record) => consumeLog.partitionUnblocked(consumer, record),
      commitFailed(consumer, error) {
        consumed.commitFailed(consumer);
        consumeLog.commitFailed(consumer, error);
      },
      interrupted(consumer, error) {
        consumed.interrupted(consumer);
        consumeLog.interrupted(consumer, error);
      },
    },
  };
}
