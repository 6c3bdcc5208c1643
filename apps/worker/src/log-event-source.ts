import type { EventSource, SubscribedEvent } from '@posthaste/callbacks';
import {
  decodeEnvelope,
  offsetBeginning,
  type PostgresLog,
  type SkippedRange,
  type StoredRecord,
} from '@posthaste/eventstream';

/** The group of the log in which subscriptions are served. */
export const subscriptionGroup = 'posthaste.subscriptions';

/** Told of what subscriptions do not get. Must not throw. */
export interface LogSourceObserver {
  /** A record that is no event: it is passed over. */
  unreadable(record: StoredRecord, error: unknown): void;
  /** Records were dropped by age before they were read. */
  skipped(range: SkippedRange): void;
}

/** The whole log, for subscriptions: every topic from its beginning, but those of failures. */
export function createLogEventSource(log: PostgresLog, observer: LogSourceObserver): EventSource {
  return {
    async readBatch(tx, limit, choose) {
      const { records, skipped, more } = await log.readGroupBatch(tx, {
        topics: 'all',
        groupId: subscriptionGroup,
        startOffset: offsetBeginning,
        limit,
        choose,
      });
      for (const range of skipped) observer.skipped(range);
      return { events: records.flatMap((record) => toEvents(record, observer)), more };
    },
  };
}

/** One, or none of what is no event. */
function toEvents(record: StoredRecord, observer: LogSourceObserver): SubscribedEvent[] {
  const { topic, value, headers } = record;
  if (value === null) return [];
  try {
    const envelope = decodeEnvelope(value);
    const key = record.key?.toString();
    const { traceparent, tracestate } = headers;
    return [
      {
        topic,
        envelope,
        // Without a key of its own an event has its id for one, and is ordered with nothing.
        key: key === envelope.id ? undefined : key,
        ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
      },
    ];
  } catch (error) {
    observer.unreadable(record, error);
    return [];
  }
}
