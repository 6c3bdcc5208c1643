import type { EventSource } from '@posthaste/callbacks';
import {
  offsetBeginning,
  type PostgresLog,
  type SkippedRange,
  type StoredRecord,
} from '@posthaste/eventstream';
import { toLogEvent, type UnnamedRecordRules } from '@posthaste/eventstream/event-log';

/** Consumer group of the log that serves subscriptions. */
export const subscriptionGroup = 'posthaste.subscriptions';

/** Options of {@link createLogEventSource}. */
export interface LogEventSourceOptions extends UnnamedRecordRules {
  readonly log: PostgresLog;
  readonly observer: LogSourceObserver;
}

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
export function createLogEventSource({
  log,
  observer,
  ...rules
}: LogEventSourceOptions): EventSource {
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
      const events = records.flatMap((record) => {
        try {
          return toLogEvent(record, rules) ?? [];
        } catch (error) {
          observer.unreadable(record, error);
          return [];
        }
      });
      return { events, more };
    },
  };
}
