import { newEventId } from './event-id.js';
import { invalidEvent } from './invalid-event.js';

const separator = '.';

/** What Kafka takes as the name of a topic, prefix and suffix included. */
const legalTopic = /^[A-Za-z0-9._-]{1,249}$/;

const deadLetterSuffix = /\.dlq$/;
const retrySuffix = /\.retry\.\d+$/;

export interface GroupNameOptions {
  /**
   * The Go SDK puts its dot before the group also when the prefix is empty. True: so do we, and
   * share the group with its members. Default false.
   */
  readonly leadingDot?: boolean;
}

/**
 * The topic on the wire: `prefix.topic`, or the topic when the prefix is empty.
 * @throws PlatformError `EVENT_INVALID` when Kafka would refuse it: over 249 characters, `.`, `..`,
 *   or others than letters, digits, `.`, `_` and `-`
 */
export function toWireTopic(prefix: string, topic: string): string {
  return checkLegal(prefix === '' ? topic : prefix + separator + topic, 'topic');
}

/** The group on the wire: like a topic. An empty group is a new one of its own. */
export function toWireGroup(
  prefix: string,
  group: string,
  { leadingDot = false }: GroupNameOptions = {},
): string {
  const name = group === '' ? newEventId() : group;
  return prefix === '' && !leadingDot ? name : prefix + separator + name;
}

/** Where the dead letters of a topic on the wire go. @throws PlatformError `EVENT_INVALID` */
export function deadLetterTopic(topic: string): string {
  return checkLegal(`${topic}.dlq`, 'topic');
}

/**
 * Where a group's `n`-th retries (1 and up) of a topic on the wire wait.
 * @throws PlatformError `EVENT_INVALID` when topic and group together are no legal topic
 */
export function retryTopic(topic: string, group: string, n: number): string {
  return checkLegal(`${topic}${separator}${group}.retry.${n}`, 'groupId');
}

/** Whether records get into this topic only after a consumer failed on them. */
export function isDeadLetterTopic(topic: string): boolean {
  return deadLetterSuffix.test(topic);
}

/** Whether it is one of the topics in which records wait for their next attempt. */
export function isRetryTopic(topic: string): boolean {
  return retrySuffix.test(topic);
}

function checkLegal(topic: string, field: string): string {
  if (legalTopic.test(topic) && topic !== '.' && topic !== '..') return topic;
  const reason = `"${topic}" is no topic: at most 249 letters, digits, dots, _ and -`;
  throw invalidEvent("topic format isn't valid", field, reason);
}
