import { type Applications, PlatformError } from '@posthaste/contracts';
import type { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import type { TopicApplication } from '../../drivers/postgres/storage/topic-access.js';

/** Queries of the log that the check of topics needs. */
export type TopicLookup = Pick<
  PostgresLog,
  'isForeignTopic' | 'findNewTopics' | 'findMissingTopics' | 'countTopics' | 'countTopicsOf'
>;

/** An event on its way to a topic, and whoever publishes it. */
export interface TopicPublish {
  readonly event: TopicApplication;
  readonly within: Applications;
}

/**
 * Returns the events whose topic refuses them, each with its error:
 *
 * - `APPLICATION_FORBIDDEN`: the topic belongs to an application that the publisher may not use.
 * - `TOPIC_LIMIT_REACHED`: the topic would have to be created, and the log has `maxTopics`. The first
 *   that are missing may be created until then. A topic is created with its first event and is never
 *   deleted: publishers that name topics by user or by order would fill the database with them.
 *   Processes that create topics at the same moment may exceed the limit by those topics. Publishers
 *   that may not see all applications are not told which topics of others exist: to them a topic is
 *   missing until their application has published to it. Their application may have half of
 *   `maxTopics`, so that it cannot keep others from creating any.
 * @throws PlatformError `DATABASE_*`
 */
export async function findRefused<Publish extends TopicPublish>(
  log: TopicLookup,
  publishes: readonly Publish[],
  maxTopics: number,
): Promise<ReadonlyMap<Publish, PlatformError>> {
  const refused = new Map<Publish, PlatformError>();
  for (const publish of publishes) {
    const { event, within } = publish;
    if (log.isForeignTopic(event.topic, within)) refused.set(publish, foreignTopic(event.topic));
  }
  if (maxTopics === Number.POSITIVE_INFINITY) return refused;
  const missing = await findMissing(log, publishes);
  if (missing.size === 0) return refused;
  const allowed = Math.max(0, maxTopics - (await log.countTopics()));
  const limited = new Set([...missing].slice(allowed));
  const share = Math.ceil(maxTopics / 2);
  for (const topic of await findOverShare(log, { publishes, missing, share })) limited.add(topic);
  for (const publish of publishes) {
    if (refused.has(publish) || !limited.has(toSeenTopic(publish))) continue;
    refused.set(publish, topicLimit(publish.event.topic, maxTopics));
  }
  return refused;
}

interface ShareCheck {
  readonly publishes: readonly TopicPublish[];
  readonly missing: ReadonlySet<string>;
  readonly share: number;
}

/** Returns those missing topics with which an application would have more than its share. */
async function findOverShare(
  log: TopicLookup,
  { publishes, missing, share }: ShareCheck,
): Promise<string[]> {
  const newOf = new Map<string, Set<string>>();
  for (const { event, within } of publishes) {
    const topic = toBoundTopic(event);
    if (within === 'all' || !missing.has(topic)) continue;
    const topics = newOf.get(event.application) ?? new Set();
    newOf.set(event.application, topics.add(topic));
  }
  if (newOf.size === 0) return [];
  const counts = await log.countTopicsOf([...newOf.keys()]);
  return [...newOf].flatMap(([application, topics]) =>
    [...topics].slice(Math.max(0, share - (counts.get(application) ?? 0))),
  );
}

/** Returns the topics that do not exist, as the publishers see them, in the order of the events. */
async function findMissing(
  log: TopicLookup,
  publishes: readonly TopicPublish[],
): Promise<ReadonlySet<string>> {
  const open = publishes.filter(({ within }) => within === 'all');
  const bound = publishes.filter(({ within }) => within !== 'all');
  const missing = new Set(await log.findMissingTopics(open.map(({ event }) => event.topic)));
  const unseen = bound.length > 0 ? await log.findNewTopics(bound.map(({ event }) => event)) : [];
  const isUnseen = new Set(unseen.map(toBoundTopic));
  if (missing.size === 0 && isUnseen.size === 0) return missing;
  const seen = publishes.map(toSeenTopic);
  return new Set(seen.filter((topic) => missing.has(topic) || isUnseen.has(topic)));
}

/** Returns a name for the topic as the publisher sees it: that of an application, or the log's. */
function toSeenTopic({ event, within }: TopicPublish): string {
  return within === 'all' ? event.topic : toBoundTopic(event);
}

/** No topic has a NUL. */
function toBoundTopic({ topic, application }: TopicApplication): string {
  return `${topic}\0${application}`;
}

function foreignTopic(topic: string): PlatformError {
  const message = `topic '${topic}' belongs to another application`;
  return new PlatformError('APPLICATION_FORBIDDEN', message, {
    details: [{ field: 'topic', message: 'belongs to another application' }],
  });
}

function topicLimit(topic: string, maxTopics: number): PlatformError {
  const message = `topic '${topic}' is not created: the log has reached its limit of ${maxTopics} topics, or the application half of it`;
  return new PlatformError('TOPIC_LIMIT_REACHED', message, {
    details: [{ field: 'topic', message: 'is new, and the limit of topics is reached' }],
  });
}
