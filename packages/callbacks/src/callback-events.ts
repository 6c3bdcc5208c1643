import { createEnvelope, type EventEnvelope, type JsonObject } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import type { IntakeItem } from './intake-store.js';

/**
 * What is told of callbacks and endpoints, as events of the platform's log.
 *
 * | name                 | when                                                  | payload besides the common fields                                 |
 * | -------------------- | ----------------------------------------------------- | ----------------------------------------------------------------- |
 * | `callback.accepted`  | it is stored                                          | `method`                                                          |
 * | `callback.attempted` | an attempt is recorded, whatever came of it           | `attempt`, `statusCode`, `reason`, `durationMs`, `ending`         |
 * | `callback.delivered` | it is delivered                                       | `attempts`, `statusCode`, `latencyMs`                             |
 * | `callback.failed`    | it fails for good, or expires                         | `ending`, `attempts`, `statusCode`, `reason`, `parked`            |
 * | `endpoint.disabled`  | a receiver answered 410, or somebody disabled it      | `reason`                                                          |
 *
 * Common to those about callbacks: `callbackId`, `application`, `queue`, `endpointId`, `origin`
 * (scheme, host and port of its URL), and `echo` (echo.ts); to all that are absent there is no key.
 * Bodies, headers, secrets and the rest of URLs are never told. An attempt of unknown outcome,
 * whose worker vanished, has no event of its own: `attempt` of the next one counts it.
 */
export const callbackEventNames = [
  'callback.accepted',
  'callback.attempted',
  'callback.delivered',
  'callback.failed',
  'endpoint.disabled',
] as const;

export type CallbackEventName = (typeof callbackEventNames)[number];

/** The topic of the log that they are in. */
export const callbackEventTopic = 'callbacks';

/** An event on its way into the log. */
export interface CallbackEvent {
  readonly topic: string;
  /**
   * `<application>/<queue>` of a callback in a queue, else the callback's id; the id of an endpoint.
   * Events of one key are appended in the order in which they happened.
   */
  readonly key: string;
  readonly envelope: EventEnvelope;
  /** W3C trace context of the callback, when it was handed in with one. */
  readonly traceparent?: string | undefined;
}

/** Where events go, in the transaction of what they tell: an event log, say. */
export interface CallbackEventSink {
  /** Whether anybody wants events of this name now. */
  wants(name: CallbackEventName): boolean;
  append(tx: Transaction, events: readonly CallbackEvent[]): Promise<unknown>;
}

/** A sink for who has no event log. */
export const noEvents: CallbackEventSink = { wants: () => false, append: async () => undefined };

/** Of callbacks that are stored; none when nobody wants them, none of echoes. */
export function toAcceptedEvents(
  items: readonly IntakeItem[],
  { wants }: Pick<CallbackEventSink, 'wants'>,
): CallbackEvent[] {
  if (items.length === 0 || !wants('callback.accepted')) return [];
  return items.filter(({ request }) => request.echo === 0).map(toAcceptedEvent);
}

function toAcceptedEvent({ id: callbackId, request }: IntakeItem): CallbackEvent {
  const method = request.method || 'GET';
  return toCallbackEvent('callback.accepted', { ...request, callbackId }, { method });
}

/** An endpoint that was disabled; `echo` of the callback that was answered with 410, if one was. */
export interface DisabledEndpointFields {
  readonly id: string;
  readonly application: string;
  readonly reason: string;
  readonly echo?: number | undefined;
}

export function toDisabledEvent({
  id,
  application,
  reason,
  echo = 0,
}: DisabledEndpointFields): CallbackEvent {
  const payload = { endpointId: id, application, reason, ...(echo > 0 ? { echo } : {}) };
  return {
    topic: callbackEventTopic,
    key: id,
    envelope: createEnvelope({ name: 'endpoint.disabled', namespace: application, payload }),
  };
}

/** The callback that an event is about. */
export interface EventSubject {
  readonly callbackId: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  /** Scheme, host and port of its URL. */
  readonly origin: string;
  /** Its own: one may tell its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** An event about a callback, with what is common to all of them and these fields. */
export function toCallbackEvent(
  name: CallbackEventName,
  { callbackId, application, queue, endpointId, origin, headers }: EventSubject,
  fields: JsonObject,
): CallbackEvent {
  const payload: JsonObject = {
    callbackId,
    application,
    ...(queue === undefined ? {} : { queue }),
    ...(endpointId === undefined ? {} : { endpointId }),
    origin,
    ...fields,
  };
  return {
    topic: callbackEventTopic,
    key: queue === undefined ? callbackId : `${application}/${queue}`,
    envelope: createEnvelope({ name, namespace: application, payload }),
    traceparent: headers?.traceparent,
  };
}
