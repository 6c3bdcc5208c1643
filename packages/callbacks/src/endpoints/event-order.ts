import { createHash } from 'node:crypto';
import type { JsonValue } from '@posthaste/contracts';
import type { SubscribedEvent } from '../events/subscribed-event.js';

/**
 * What an endpoint's events are ordered by: those with the same value are delivered one after
 * another, in the order in which they were published.
 *
 * - `none`: no order;
 * - `key`: the key the event was published with; `namespace`; `userId`: that of the event;
 * - a JSON Pointer (RFC 6901) such as `/order/id`: what the payload has there.
 *
 * The value is text, a number or a boolean. An event without one, or with an empty text, is ordered
 * with nothing.
 */
export type EventOrder = 'none' | 'key' | 'namespace' | 'userId' | `/${string}`;

const words: ReadonlySet<string> = new Set(['none', 'key', 'namespace', 'userId']);
const maxPointerLength = 256;
const pointer = /^(?:\/(?:[^~/\p{Cc}]|~[01])*)+$/u;
const arrayIndex = /^(?:0|[1-9][0-9]*)$/;
const maxReadableLength = 128;
const readable = /^[\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd]*$/;

/** Whether the text names an order. */
export function isEventOrder(text: string): text is EventOrder {
  return words.has(text) || (text.length <= maxPointerLength && pointer.test(text));
}

/**
 * The queue in which an event waits for an endpoint; `undefined` when it waits for nothing. It is
 * of the endpoint alone: one endpoint's blocked queue does not stop another's.
 */
export function toEventQueue(
  endpointId: string,
  order: EventOrder,
  event: SubscribedEvent,
): string | undefined {
  const value = orderValue(order, event);
  if (value === undefined || value === null || typeof value === 'object') return undefined;
  const text = String(value);
  if (text === '') return undefined;
  // Queue names have a length and characters they may have; values have neither.
  const fits = text.length <= maxReadableLength && readable.test(text);
  const name = fits ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return `endpoint:${endpointId}:${name}`;
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
      return valueAt(envelope.payload, order);
  }
}

function valueAt(payload: JsonValue | undefined, path: `/${string}`): JsonValue | undefined {
  let value = payload;
  for (const token of path.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return undefined;
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Object.hasOwn(value, name) || (Array.isArray(value) && !arrayIndex.test(name))) {
      return undefined;
    }
    value = (value as Readonly<Record<string, JsonValue>>)[name];
  }
  return value;
}
