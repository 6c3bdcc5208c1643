import { createEnvelope, type EventEnvelope, type JsonObject } from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';
import type { Delivery, DeliveryResult, Ending } from './delivery.js';
import type { IntakeItem } from './intake-store.js';
import { parseLaneKey } from './lane.js';

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

/** A result as it was recorded. */
export interface ToldResult {
  readonly result: DeliveryResult;
  /** How the callback ended, if it did. */
  readonly ending: Ending | undefined;
  /** Its queue stands still. */
  readonly parked: boolean;
}

type Wants = CallbackEventSink['wants'];

/** Of callbacks that are stored; none when nobody wants them, none of echoes. */
export function toAcceptedEvents(
  items: readonly IntakeItem[],
  { wants }: Pick<CallbackEventSink, 'wants'>,
): CallbackEvent[] {
  if (items.length === 0 || !wants('callback.accepted')) return [];
  return items.filter(({ request }) => request.echo === 0).map(toAcceptedEvent);
}

function toAcceptedEvent({ id, request }: IntakeItem): CallbackEvent {
  const { application, queue, endpointId, origin, method } = request;
  const subject = { callbackId: id, application, queue, endpointId, origin };
  return toEvent('callback.accepted', subject, request.headers, { method: method || 'GET' });
}

/** What a result tells of its callback, in the order in which it happened. */
export function toResultEvents(told: ToldResult, wants: Wants): CallbackEvent[] {
  const { result, ending } = told;
  const { delivery, attempt } = result;
  const events: CallbackEvent[] = [];
  // Of callbacks made for events about callbacks only failures are told: see echo.ts.
  const isEcho = delivery.echo > 0;
  if (attempt && !isEcho && wants('callback.attempted')) {
    events.push(aboutDelivery('callback.attempted', delivery, attemptedFields(told)));
  }
  if (ending === 'delivered' && !isEcho && wants('callback.delivered')) {
    events.push(aboutDelivery('callback.delivered', delivery, deliveredFields(result)));
  }
  if ((ending === 'failed' || ending === 'expired') && wants('callback.failed')) {
    events.push(aboutDelivery('callback.failed', delivery, failedFields(told, ending)));
  }
  return events;
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

function attemptedFields({ result, ending }: ToldResult): JsonObject {
  const { attempt } = result;
  return {
    attempt: attemptsOf(result),
    ...outcomeFields(result),
    durationMs: Number(attempt?.durationNs ?? 0n) / 1e6,
    ...(ending === undefined ? {} : { ending }),
  };
}

function deliveredFields(result: DeliveryResult): JsonObject {
  const { delivery, attempt } = result;
  const endedAtMs = (attempt?.startedAtMs ?? 0) + Number(attempt?.durationNs ?? 0n) / 1e6;
  return {
    attempts: attemptsOf(result),
    ...outcomeFields(result),
    latencyMs: Math.max(0, Math.round(endedAtMs - delivery.createdAtMs)),
  };
}

function failedFields({ result, parked }: ToldResult, ending: Ending): JsonObject {
  const { delivery } = result;
  return {
    ending,
    attempts: attemptsOf(result),
    ...outcomeFields(result),
    parked,
    ...(delivery.echo > 0 ? { echo: delivery.echo } : {}),
  };
}

/** Of the attempt that was made last, when this result has one. */
function outcomeFields({ attempt }: DeliveryResult): JsonObject {
  if (!attempt) return {};
  const { statusCode, reason } = attempt;
  return reason === undefined ? { statusCode } : { statusCode, reason };
}

/** Attempts made so far, those of unknown outcome among them. */
function attemptsOf({ delivery, attempt }: DeliveryResult): number {
  return delivery.failures + delivery.unknowns + (attempt ? 1 : 0);
}

function aboutDelivery(
  name: CallbackEventName,
  delivery: Delivery,
  fields: JsonObject,
): CallbackEvent {
  const { callbackId, application, queue, endpointId, lane, request } = delivery;
  const { origin } = parseLaneKey(lane);
  const subject = { callbackId, application, queue, endpointId, origin };
  return toEvent(name, subject, request.headers, fields);
}

interface Subject {
  readonly callbackId: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  readonly origin: string;
}

function toEvent(
  name: CallbackEventName,
  { callbackId, application, queue, endpointId, origin }: Subject,
  headers: Readonly<Record<string, string>> | undefined,
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
