import type { Applications } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import { failedRecordHeaders } from '../../consume/failed-record.js';
import type { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import type { StoredRecord } from '../../record.js';
import { isDeadLetterTopic } from '../../rules/topic-name.js';
import { type EventFilter, parseEventFilter } from '../event-filter.js';
import { findReplayed } from './replayed-letter-store.js';

/**
 * Failure that the headers of a dead letter describe. A member is undefined if its header is missing
 * or invalid.
 */
export interface DeadLetterFailure {
  /** Topic that the record came from. */
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly offset: number | undefined;
  readonly appendedAt: Date | undefined;
  /** Consumer group that failed on the record. */
  readonly group: string | undefined;
  readonly error: string | undefined;
  /** Number of calls of the consumer with the record; 0: the record was unreadable. */
  readonly attempts: number | undefined;
  /** Event name that the subscription asked for; empty: all. */
  readonly subscription: string | undefined;
}

const headerNames = failedRecordHeaders;

/** Reads the headers of a dead letter. Anybody may have written them. */
export function readDeadLetterFailure({
  headers,
}: Pick<StoredRecord, 'headers'>): DeadLetterFailure {
  const timestamp = toWhole(headers[headerNames.timestamp]);
  return {
    topic: headers[headerNames.topic],
    partition: toWhole(headers[headerNames.partition]),
    offset: toWhole(headers[headerNames.offset]),
    appendedAt: timestamp === undefined ? undefined : new Date(timestamp),
    group: headers[headerNames.group],
    error: headers[headerNames.error],
    attempts: toWhole(headers[headerNames.attempts]),
    subscription: headers[headerNames.subscription],
  };
}

/** Parses a whole number of up to 15 digits, which may be a moment in milliseconds too. */
function toWhole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** True if this consumer group, if one is given, failed on the record. */
export function isOfGroup(record: StoredRecord, group: string | undefined): boolean {
  return group === undefined || record.headers[headerNames.group] === group;
}

/** Filter of dead letters, as JSON. Its moments are those when records became dead letters. */
export interface DeadLetterFilter extends EventFilter {
  /** Only dead letters of this consumer group, which failed on them. */
  readonly group?: string;
}

/** Log of dead letters, with the database that notes their replays. */
export interface DeadLetterSource {
  /** Database with `eventLogMigrations` applied. */
  readonly db: Queryable;
  readonly log: Pick<PostgresLog, 'listEvents' | 'listTopics'>;
}

/** Query of one page of dead letters. */
export interface DeadLetterQuery extends DeadLetterFilter {
  /** Applications whose dead letters are read. */
  readonly within: Applications;
  /** Topics of dead letters, 1 or more: see `listDeadLetterTopics`. */
  readonly topics: readonly string[];
  /** `next` of the page before. Default: the oldest. */
  readonly cursor?: string | undefined;
  /** Dead letters that the page looks at, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined;
}

/** Dead letter with its failure. */
export interface DeadLetter {
  readonly record: StoredRecord;
  readonly failure: DeadLetterFailure;
  /** Moment of the last replay; `undefined` if there was none. */
  readonly replayedAt: Date | undefined;
}

/** Page of dead letters, the oldest first. It may be short, even empty, and be followed by others. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Start of the next page. Opaque. */
  readonly next: string;
  /** True if there were no more at the time of the query. */
  readonly isLast: boolean;
}

/**
 * Returns the topics with dead letters that these applications may see, `<topic>.dlq`, by name. Each
 * is created with its first dead letter.
 * @param topic only the one with the dead letters of this topic. Default: all
 */
export async function listDeadLetterTopics(
  log: Pick<PostgresLog, 'listTopics'>,
  within: Applications,
  topic?: string,
): Promise<string[]> {
  const topics = await log.listTopics(within);
  return topics.filter((name) =>
    topic === undefined ? isDeadLetterTopic(name) : name === `${topic}.dlq`,
  );
}

/**
 * Returns one page of dead letters, the oldest first.
 * @throws PlatformError `TOPIC_NOT_FOUND`, `REQUEST_INVALID`, `DATABASE_*`
 */
export async function listDeadLetters(
  { db, log }: DeadLetterSource,
  { within, topics, group, limit, cursor, ...filter }: DeadLetterQuery,
): Promise<DeadLetterPage> {
  const page = await log.listEvents({ within, topics, cursor, limit, ...parseEventFilter(filter) });
  const records = page.records.filter((record) => isOfGroup(record, group));
  const replayed = await findReplayed(db, records);
  const letters = records.map((record) => ({
    record,
    failure: readDeadLetterFailure(record),
    replayedAt: replayed.get(record),
  }));
  return { letters, next: page.next, isLast: page.isLast };
}
