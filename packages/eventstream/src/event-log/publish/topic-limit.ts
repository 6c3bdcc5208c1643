import { PlatformError } from '@posthaste/contracts';
import type { PostgresLog } from '../../drivers/postgres/postgres-log.js';

/** Queries of the log that the limit needs. */
export type TopicCounter = Pick<PostgresLog, 'findMissingTopics' | 'countTopics'>;

/**
 * Returns the topics that must not be created, because the log would have more than `maxTopics`.
 * The first ones that are missing may be created until the limit is reached. A topic is created with
 * its first event and is never deleted: publishers that name topics by user or by order would fill
 * the database with them. Processes that create topics at the same moment may exceed the limit by
 * those topics.
 * @throws PlatformError `DATABASE_*`
 */
export async function findRefusedTopics(
  log: TopicCounter,
  topics: readonly string[],
  maxTopics: number,
): Promise<ReadonlySet<string>> {
  if (maxTopics === Number.POSITIVE_INFINITY) return new Set();
  const missing = await log.findMissingTopics(topics);
  if (missing.length === 0) return new Set();
  const allowed = Math.max(0, maxTopics - (await log.countTopics()));
  return new Set(missing.slice(allowed));
}

/** Returns the error of an event whose topic must not be created. */
export function topicRefused(topic: string, maxTopics: number): PlatformError {
  const message = `topic '${topic}' is not created: the log has reached its limit of ${maxTopics} topics`;
  return new PlatformError('TOPIC_LIMIT_REACHED', message, {
    details: [{ field: 'topic', message: 'is new, and the limit of topics is reached' }],
  });
}
