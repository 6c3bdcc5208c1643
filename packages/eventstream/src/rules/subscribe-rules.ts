import { offsetBeginning } from '../driver.js';
import { invalidEvent } from './invalid-event.js';
import { isName, nameRule } from './name.js';
import { isRetryTopic } from './topic-name.js';

export interface SubscribedFields {
  readonly topic: unknown;
  readonly eventName?: unknown;
  readonly groupId?: unknown;
  readonly groupInstanceId?: unknown;
}

const subscribeInvalid = "subscribe struct isn't valid";
const instanceIdPattern = /^[A-Za-z0-9._-]{1,249}$/;

/**
 * Dead letters may be read like any topic: services subscribe to theirs to repair them. Retry
 * topics may not, their records belong to the group that failed.
 * @throws PlatformError `EVENT_INVALID` with `details.field`
 */
export function checkSubscribed(fields: SubscribedFields): void {
  if (!isName(fields.topic)) throw invalidEvent(subscribeInvalid, 'topic', nameRule);
  if (isRetryTopic(fields.topic)) {
    throw invalidEvent(subscribeInvalid, 'topic', 'names in .retry.<n> are reserved');
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

/** @throws PlatformError `EVENT_INVALID` when there is neither or one is no function */
export function checkCallbacks(callback: unknown, callbackRaw: unknown): void {
  const given = [callback, callbackRaw].filter((one) => one !== undefined && one !== null);
  if (given.length > 0 && given.every((one) => typeof one === 'function')) return;
  throw invalidEvent('callback should not be nil', 'callback', 'must be a function');
}

/**
 * Where to start, as drivers take it.
 * @throws PlatformError `EVENT_INVALID` when it is no whole number from -2 on
 */
export function toStartOffset(offset: bigint | number): bigint {
  const isWhole = typeof offset === 'bigint' || Number.isSafeInteger(offset);
  if (isWhole && BigInt(offset) >= offsetBeginning) return BigInt(offset);
  const reason = 'must be -1 (end), -2 (beginning) or the number of a record';
  throw invalidEvent(subscribeInvalid, 'offset', reason);
}
