import { createHash } from 'node:crypto';
import { eventDataOf, JsonNumber, type JsonValue } from '@posthaste/contracts';
import type { SubscribedEvent } from '../events/subscribed-event.js';

/**
 * The field by which an endpoint's events are ordered. Events with the same value are delivered one
 * after another, in the order in which they were published.
 *
 * - `none`: no order;
 * - `key`: the key that the event was published with;
 * - `namespace`, `userId`: that field of the event;
 * - a JSON Pointer (RFC 6901) such as `/order/id`: that value of the payload, or of the data of an
 *   event that came as a CloudEvent.
 *
 * The value is text, a number or a boolean. An event without a value, or with an empty text, has no
 * order.
 */
export type EventOrder = 'none' | 'key' | 'namespace' | 'userId' | `/${string}`;

const namedOrders: ReadonlySet<string> = new Set(['none', 'key', 'namespace', 'userId']);
const maxPointerLength = 256;
const pointer = /^(?:\/(?:[^~/\p{Cc}]|~[01])*)+$/u;
const arrayIndex = /^(?:0|[1-9][0-9]*)$/;
const maxReadableLength = 128;
const readable = /^[\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd]*$/;

/** True if the text is a valid order. */
export function isEventOrder(text: string): text is EventOrder {
  return namedOrders.has(text) || (text.length <= maxPointerLength && pointer.test(text));
}

/**
 * Returns the name of the queue that puts an event in order; `undefined` when it has no order. Each
 * endpoint has queues of its own: a blocked queue of one endpoint does not stop another endpoint.
 */
export function toEventQueue(
  endpointId: string,
  order: EventOrder,
  event: SubscribedEvent,
): string | undefined {
  const value = orderValue(order, event);
  const text = toOrderText(value);
  if (text === undefined || text === '') return undefined;
  return `endpoint:${endpointId}:${toQueueName(text)}`;
}

/**
 * Returns the part of a queue's name that stands for the value. Names of queues have a limited length
 * and set of characters, values do not: others are hashed.
 */
export function toQueueName(value: string): string {
  const fits = value.length <= maxReadableLength && readable.test(value);
  return fits ? value : `sha256:${createHash('sha256').update(value).digest('hex')}`;
}

function orderValue(order: EventOrder, { key, envelope }: SubscribedEvent): JsonValue | undefined {
  switch (order) {
    case 'none':
      return undefined;
    case 'key':
      return key;
    case 'namespace':
      return envelope.namespace;
    case 'userId':
      return envelope.userId;
    default:
      return valueAt(eventDataOf(envelope), order);
  }
}

/**
 * Returns the text of a value by which events are ordered. Numbers that are written differently and
 * mean the same, such as 7 and 7.0, have the same text; those beyond 2^53 keep all digits.
 */
function toOrderText(value: JsonValue | JsonNumber | undefined): string | undefined {
  if (value instanceof JsonNumber) {
    const rounded = value.valueOf();
    return Math.abs(rounded) <= Number.MAX_SAFE_INTEGER ? String(rounded) : value.text;
  }
  if (value === undefined || value === null || typeof value === 'object') return undefined;
  return String(value);
}

function valueAt(payload: JsonValue | undefined, path: `/${string}`): JsonValue | undefined {
  let value = payload;
  for (const token of path.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return undefined;
    // A number that JavaScript would write otherwise is an object to it.
    if ((value as unknown) instanceof JsonNumber) return undefined;
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Object.hasOwn(value, name) || (Array.isArray(value) && !arrayIndex.test(name))) {
      return undefined;
    }
    value = (value as Readonly<Record<string, JsonValue>>)[name];
  }
  return value;
}
