/**
 * Names and topics of the platform's own events. Only the platform publishes them: whoever gets one
 * from its topic can rely on it.
 */

/** Topic of the events of each part of the platform, by the first segment of their names. */
const topicOfWord: ReadonlyMap<string, string> = new Map([
  ['callback', 'callbacks'],
  ['endpoint', 'callbacks'],
  // Parts to come. Their names are reserved before they are used, so that no publisher has them then.
  ['message', 'messages'],
  ['channel', 'messages'],
  ['contact', 'messages'],
  ['realtime', 'realtime'],
  ['arc', 'arc'],
  ['application', 'audit'],
  ['key', 'audit'],
  ['audit', 'audit'],
  ['posthaste', 'posthaste'],
]);

/** The platform's own topics, without those whose name begins with `posthaste.`. */
export const platformTopics: ReadonlySet<string> = new Set(topicOfWord.values());
const topicPrefix = 'posthaste.';

/**
 * Topics that gateways share among themselves. No list, reader, subscription or follower sees them,
 * and the relay leaves them out.
 */
export const internalTopics: ReadonlySet<string> = new Set(['realtime']);

/** First segments of the names of platform events: such a name has at least one segment more. */
const platformEventWords: readonly string[] = [...topicOfWord.keys()];

/**
 * Returns the topic that a platform event of this name is in; undefined for the name of no platform
 * event.
 */
export function platformTopicOf(eventName: string): string | undefined {
  const end = eventName.indexOf('.');
  return end < 0 ? undefined : topicOfWord.get(eventName.slice(0, end));
}

/** True if only the platform publishes to the topic. */
export function isPlatformTopic(topic: string): boolean {
  return platformTopics.has(topic) || topic.startsWith(topicPrefix);
}

/**
 * Returns the fault of a topic that somebody wants to publish to, for people; undefined when anybody
 * may.
 */
export function reservedTopicFault(topic: string): string | undefined {
  if (!isPlatformTopic(topic)) return undefined;
  return `is a topic that only the platform itself publishes to (${[...platformTopics].join(', ')} and ${topicPrefix}*); choose another`;
}

/**
 * Returns the fault of a name that somebody wants to publish an event under, for people; undefined
 * when anybody may.
 */
export function reservedNameFault(eventName: string): string | undefined {
  if (platformTopicOf(eventName) === undefined) return undefined;
  const words = platformEventWords.map((word) => `${word}.*`);
  return `is a name that only events of the platform itself have (${words.join(', ')}); choose another, such as my.${eventName}`;
}
