import { offsetBeginning } from '../driver.js';
import { invalidEvent } from './invalid-event.js';
import { isName, isRetryTopic, nameRule } from './topic-name.js';

/** Fields of a subscription that are checked. */
export interface SubscribedFields {
  readonly topic: unknown;
  readonly eventName?: unknown;
  readonly groupId?: unknown;
  readonly groupInstanceId?: unknown;
}

const subscribeInvalid = "subscribe struct isn't valid";
const instanceIdPattern = /^[A-Za-z0-9._-]{1,249}$/;

/**
 * Checks the names of a subscription. Dead letter topics are allowed: services subscribe to theirs
 * to repair them. Retry topics are not: their records belong to the group that failed.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function checkSubscribed(fields: SubscribedFields): void {
  if (!isName(fields.topic)) throw invalidEvent(subscribeInvalid, 'topic', nameRule);
  if (isRetryTopic(fields.topic)) {
    throw invalidEvent(subscribeInvalid, 'topic', 'names that end in .retry.<n> are reserved');
  }
  for (const field of ['eventName', 'groupId'] as const) {
    const name = fields[field];
    if (name !== undefined && name !== '' && !isName(name)) {
      throw invalidEvent(subscribeInvalid, field, nameRule);
    }
  }
  const instance = fields.groupInstanceId;
  if (instance === undefined || instance === '') return;
  if (typeof instance !== 'string' || !instanceIdPattern.test(instance)) {
    const reason = 'must be at most 249 letters, digits, dots, _ and -';
    throw invalidEvent(subscribeInvalid, 'groupInstanceId', reason);
  }
}

/**
 * Checks that at least one handler is given.
 * @throws PlatformError `EVENT_INVALID` when none is given, or one is not a function
 */
export function checkCallbacks(callback: unknown, callbackRaw: unknown): void {
  const given = [callback, callbackRaw].filter((one) => one !== undefined && one !== null);
  if (given.length > 0 && given.every((one) => typeof one === 'function')) return;
  throw invalidEvent('callback should not be nil', 'callback', 'must be a function');
}

/**
 * Converts a start offset to the form that drivers expect.
 * @throws PlatformError `EVENT_INVALID` when it is not a whole number of -2 or more
 */
export function toStartOffset(offset: bigint | number): bigint {
  const isWhole = typeof offset === 'bigint' || Number.isSafeInteger(offset);
  if (isWhole && BigInt(offset) >= offsetBeginning) return BigInt(offset);
  const reason = 'must be -1 (end), -2 (beginning) or the number of a record';
  throw invalidEvent(subscribeInvalid, 'offset', reason);
}
