import { compactUuid4Rule, isCompactUuid4 } from './event-id.js';
import { invalidEvent } from './invalid-event.js';
import { isDeadLetterTopic, isName, isRetryTopic, nameRule } from './topic-name.js';

/** Fields of an event that are checked before it is built. The encoder checks the others. */
export interface PublishedFields {
  readonly eventName: unknown;
  readonly namespace?: unknown;
  readonly userId?: unknown;
  readonly clientId?: unknown;
  readonly sessionId?: unknown;
  readonly traceId?: unknown;
}

const publishInvalid = "publish struct isn't valid";

/** Ids that strict validation checks, with the Go SDK's error texts. */
const strictIds = [
  ['userId', "userID isn't valid"],
  ['clientId', "clientID isn't valid"],
  ['sessionId', "sessionID isn't valid"],
  ['traceId', "traceID isn't valid"],
] as const;

/**
 * Checks names and, if `strict`, ids.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function checkPublished(fields: PublishedFields, strict: boolean): void {
  if (!isName(fields.eventName)) throw invalidEvent(publishInvalid, 'eventName', nameRule);
  // The Go SDK accepts events without a namespace, so services may have none.
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
 * Returns the topics of an event, each once.
 * @throws PlatformError `EVENT_INVALID` when there is no topic, or one is not a valid name or is
 *   reserved for retries and dead letters
 */
export function checkPublishedTopics(topic: unknown): readonly string[] {
  if (!Array.isArray(topic)) return [checkTopic(topic)];
  if (topic.length === 0) throw invalidEvent(publishInvalid, 'topic', 'at least one is needed');
  return [...new Set(topic.map(checkTopic))];
}

function checkTopic(name: unknown): string {
  if (!isName(name)) throw invalidEvent(publishInvalid, 'topic', nameRule);
  if (isDeadLetterTopic(name) || isRetryTopic(name)) {
    throw invalidEvent(
      publishInvalid,
      'topic',
      'names that end in .dlq or .retry.<n> are reserved',
    );
  }
  return name;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '';
}
