import { compactUuid4Rule, isCompactUuid4 } from './event-id.js';
import { invalidEvent } from './invalid-event.js';
import { isName, nameRule } from './name.js';
import { isDeadLetterTopic, isRetryTopic } from './topic-name.js';

/** What is checked of an event before it is built; the rest when it is encoded. */
export interface PublishedFields {
  readonly eventName: unknown;
  readonly namespace?: unknown;
  readonly userId?: unknown;
  readonly clientId?: unknown;
  readonly sessionId?: unknown;
  readonly traceId?: unknown;
}

const publishInvalid = "publish struct isn't valid";

/** The ids that strict validation checks, with the original's names for them. */
const strictIds = [
  ['userId', "userID isn't valid"],
  ['clientId', "clientID isn't valid"],
  ['sessionId', "sessionID isn't valid"],
  ['traceId', "traceID isn't valid"],
] as const;

/** @throws PlatformError `EVENT_INVALID` with `details.field` */
export function checkPublished(fields: PublishedFields, strict: boolean): void {
  if (!isName(fields.eventName)) throw invalidEvent(publishInvalid, 'eventName', nameRule);
  // The Go SDK publishes without a namespace, and so do services that used it.
  if (!isEmpty(fields.namespace) && !isName(fields.namespace)) {
    throw invalidEvent(publishInvalid, 'namespace', nameRule);
  }
  if (!strict) return;
  for (const [field, text] of strictIds) {
    const id = fields[field];
    if (!isEmpty(id) && !isCompactUuid4(id)) throw invalidEvent(text, field, compactUuid4Rule);
  }
}

/**
 * The topics of an event, each once.
 * @throws PlatformError `EVENT_INVALID`: none, no name, or one that only consumers write to
 */
export function checkPublishedTopics(topic: unknown): readonly string[] {
  if (!Array.isArray(topic)) return [checkTopic(topic)];
  if (topic.length === 0) throw invalidEvent(publishInvalid, 'topic', 'at least one is needed');
  return [...new Set(topic.map(checkTopic))];
}

function checkTopic(name: unknown): string {
  if (!isName(name)) throw invalidEvent(publishInvalid, 'topic', nameRule);
  if (isDeadLetterTopic(name) || isRetryTopic(name)) {
    throw invalidEvent(publishInvalid, 'topic', 'names in .dlq and .retry.<n> are reserved');
  }
  return name;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '';
}
