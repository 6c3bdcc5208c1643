import { type ApplicationRules, isEventName, parseApplicationRules } from '@posthaste/contracts';
import { newEventId } from './event-id.js';
import { invalidEvent } from './invalid-event.js';

/** `details.reason` for an invalid name. */
export const nameRule =
  "must be 1 to 256 letters and digits, with a single ' _ . or - between them";

const separator = '.';

/** Topic names that Kafka accepts, prefix and suffix included. */
const legalTopic = /^[A-Za-z0-9._-]{1,249}$/;

const deadLetterSuffix = /\.dlq$/;
const retrySuffix = /\.retry\.\d+$/;
/** Pattern of the text behind the name of a topic in the topics of its dead letters and retries. */
const derivedSuffix: string = String.raw`(?:\.dlq|\.[A-Za-z0-9._-]+\.retry\.[0-9]+)?`;

/** Options for the name of a group on the wire. */
export interface GroupNameOptions {
  /**
   * True: puts the dot before the group even when the prefix is empty, as the Go SDK does, to share
   * the group with its members. Default false.
   */
  readonly leadingDot?: boolean;
}

/** True if the value can be the name of a topic, event, namespace or group. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && isEventName(value);
}

/**
 * Returns the topic's name on the wire: `prefix.topic`, or the topic when the prefix is empty.
 * @throws PlatformError `EVENT_INVALID` when Kafka would refuse the name: over 249 characters, `.`,
 *   `..`, or characters other than letters, digits, `.`, `_` and `-`
 */
export function toWireTopic(prefix: string, topic: string): string {
  return checkLegal(prefix === '' ? topic : prefix + separator + topic, 'topic');
}

/** Returns the group's name on the wire, built like a topic's. An empty group gets a new name. */
export function toWireGroup(
  prefix: string,
  group: string,
  { leadingDot = false }: GroupNameOptions = {},
): string {
  const name = group === '' ? newEventId() : group;
  return prefix === '' && !leadingDot ? name : prefix + separator + name;
}

/** Longest instance id that Kafka accepts. */
const maxInstanceIdLength = 249;

/**
 * Returns a static member's instance id on the wire, built like a group's name: services with
 * different prefixes can then use the same ids.
 * @throws PlatformError `EVENT_INVALID` when it is too long with the prefix
 */
export function toWireInstanceId(
  prefix: string,
  instanceId: string,
  options?: GroupNameOptions,
): string {
  const name = toWireGroup(prefix, instanceId, options);
  if (name.length <= maxInstanceIdLength) return name;
  const reason = `"${name}" has over ${maxInstanceIdLength} characters`;
  throw invalidEvent("subscribe struct isn't valid", 'groupInstanceId', reason);
}

/** Returns the dead letter topic of a topic on the wire. @throws PlatformError `EVENT_INVALID` */
export function deadLetterTopic(topic: string): string {
  return checkLegal(`${topic}.dlq`, 'topic');
}

/**
 * Returns the topic in which a group's records of a topic on the wire wait for their `n`-th delayed
 * retry (`n` is 1 or more).
 * @throws PlatformError `EVENT_INVALID` when topic and group together are not a legal topic name
 */
export function retryTopic(topic: string, group: string, n: number): string {
  return checkLegal(`${topic}${separator}${group}.retry.${n}`, 'groupId');
}

/**
 * Parses rules that map topics to applications, such as `orders=shop`. A rule for a topic is one for
 * its dead letters and retries too.
 * @throws PlatformError `OPTION_INVALID`
 */
export function parseTopicRules(rules: readonly string[]): ApplicationRules {
  return parseApplicationRules(rules, { suffix: derivedSuffix });
}

/** True if only consumers write to the topic, with records that they failed to handle. */
export function isDeadLetterTopic(topic: string): boolean {
  return deadLetterSuffix.test(topic);
}

/** True if it is the topic `base`, or one of its dead letters or retries. */
export function isTopicOrDerived(topic: string, base: string): boolean {
  if (!topic.startsWith(base)) return false;
  return new RegExp(`^${derivedSuffix}$`).test(topic.slice(base.length));
}

/** True if records wait in the topic for their next delayed retry. */
export function isRetryTopic(topic: string): boolean {
  return retrySuffix.test(topic);
}

function checkLegal(topic: string, field: string): string {
  if (legalTopic.test(topic) && topic !== '.' && topic !== '..') return topic;
  const reason = `"${topic}" is not a legal topic: use at most 249 letters, digits, dots, _ and -`;
  throw invalidEvent("topic format isn't valid", field, reason);
}
