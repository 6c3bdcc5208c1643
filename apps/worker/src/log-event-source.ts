import type { EventSource, SubscribedEvent } from '@posthaste/callbacks';
import { hopsHeader, parseHops } from '@posthaste/contracts';
import {
  decodeRecordWithDigits,
  offsetBeginning,
  type PostgresLog,
  type SkippedRange,
  type StoredRecord,
} from '@posthaste/eventstream';

/** Consumer group of the log that serves subscriptions. */
export const subscriptionGroup = 'posthaste.subscriptions';

/** Observer of records that subscriptions do not get. Its methods must not throw. */
export interface LogSourceObserver {
  /** A record is not an event and is skipped. */
  unreadable(record: StoredRecord, error: unknown): void;
  /** Records were dropped by retention before they were read. */
  skipped(range: SkippedRange): void;
}

/**
 * Creates the source of events for subscriptions: every topic of the log from its beginning, except
 * topics of retries and dead letters.
 */
export function createLogEventSource(log: PostgresLog, observer: LogSourceObserver): EventSource {
  return {
    async readBatch(tx, limit, getSelector) {
      const { records, skipped, more } = await log.readGroupBatch(tx, {
        topics: 'all',
        groupId: subscriptionGroup,
        startOffset: offsetBeginning,
        limit,
        choose: getSelector,
      });
      for (const range of skipped) observer.skipped(range);
      return { events: records.flatMap((record) => toEvents(record, observer)), more };
    },
  };
}

/** Converts a record to one event, or to none when it is not an event. */
function toEvents(record: StoredRecord, observer: LogSourceObserver): SubscribedEvent[] {
  const { topic, headers } = record;
  try {
    const envelope = decodeRecordWithDigits(record);
    if (envelope === null) return [];
    const key = record.key?.toString();
    const { traceparent, tracestate } = headers;
    return [
      {
        topic,
        envelope,
        // An event without a key of its own has its id as key, and is ordered with no other event.
        key: key === envelope.id ? undefined : key,
        hops: parseHops(headers[hopsHeader]),
        ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
      },
    ];
  } catch (error) {
    observer.unreadable(record, error);
    return [];
  }
}
