import { callbackEventTopic, type EventSource, type SubscribedEvent } from '@posthaste/callbacks';
import {
  type ApplicationRules,
  type EventEnvelope,
  hopsHeader,
  isPlatformTopic,
  parseHops,
} from '@posthaste/contracts';
import {
  applicationOf,
  decodeRecordWithDigits,
  offsetBeginning,
  type PostgresLog,
  type SkippedRange,
  type StoredRecord,
} from '@posthaste/eventstream';

/** Consumer group of the log that serves subscriptions. */
export const subscriptionGroup = 'posthaste.subscriptions';

/** Rules by which records without an application of their own get one. */
export interface UnnamedRecordRules {
  /** Rules that map topics to applications. */
  readonly topicRules: ApplicationRules;
  /** Application of records in topics that no rule maps to one, except those of the platform. */
  readonly defaultApplication: string;
}

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
          return toEvents(record, rules);
        } catch (error) {
          observer.unreadable(record, error);
          return [];
        }
      });
      return { events, more };
    },
  };
}

/** Converts a record to one event, or to none when it is not an event. */
function toEvents(record: StoredRecord, rules: UnnamedRecordRules): SubscribedEvent[] {
  const { topic, headers } = record;
  const envelope = decodeRecordWithDigits(record);
  if (envelope === null) return [];
  const application = applicationOf(record) ?? toUnnamedApplication(topic, envelope, rules);
  if (application === undefined) return [];
  const key = record.key?.toString();
  const { traceparent, tracestate } = headers;
  return [
    {
      topic,
      application,
      envelope,
      // An event without a key of its own has its id as key, and is ordered with no other event.
      key: key === envelope.id ? undefined : key,
      hops: parseHops(headers[hopsHeader]),
      ...(traceparent === undefined ? {} : { trace: { traceparent, tracestate } }),
    },
  ];
}

/**
 * Returns the application of an event whose record names none. Undefined for an event of the platform
 * that is about no application, such as an entry of the audit log about a key for all: it is nobody's.
 */
function toUnnamedApplication(
  topic: string,
  { namespace }: EventEnvelope,
  { topicRules, defaultApplication }: UnnamedRecordRules,
): string | undefined {
  const owner = topicRules.ownerOf(topic);
  if (owner !== undefined) return owner;
  // Events about callbacks from before records had an application have it as their namespace.
  if (topic === callbackEventTopic) return namespace;
  return isPlatformTopic(topic) ? undefined : defaultApplication;
}
