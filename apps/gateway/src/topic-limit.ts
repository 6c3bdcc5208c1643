import { PlatformError } from '@posthaste/contracts';
import type { PostgresLog } from '@posthaste/eventstream';

/** What the limit needs of the log. */
export type TopicCounter = Pick<PostgresLog, 'findMissingTopics' | 'countTopics'>;

/**
 * Which of these topics may not be made, because there are `maxTopics` already: the first ones that
 * are missing may, while there is room. A topic is made with its first event and stays: publishers that
 * name them by user or by order would fill the database with them. Gateways that make some at the
 * same moment may exceed the limit by those.
 * @throws PlatformError `DATABASE_*`
 */
export async function findRefusedTopics(
  log: TopicCounter,
  topics: readonly string[],
  maxTopics: number,
): Promise<ReadonlySet<string>> {
  const missing = await log.findMissingTopics(topics);
  if (missing.length === 0) return new Set();
  const room = Math.max(0, maxTopics - (await log.countTopics()));
  return new Set(missing.slice(room));
}

/** The error of an event whose topic may not be made. */
export function topicRefused(topic: string, maxTopics: number): PlatformError {
  const message = `topic ${topic} is not made: there are ${maxTopics} already, as many as there may be`;
  return new PlatformError('TOPIC_LIMIT_REACHED', message, {
    details: [{ field: 'topic', message: 'is new, and there is no room for another one' }],
  });
}
