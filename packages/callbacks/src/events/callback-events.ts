import {
  createEnvelope,
  type EventEnvelope,
  type JsonObject,
  toSpanContext,
} from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';

/**
 * What is told of callbacks and endpoints, as events of the platform's log. Their namespace is the
 * application.
 *
 * | name                 | when                                             | payload besides the common members                                 |
 * | -------------------- | ------------------------------------------------ | ------------------------------------------------------------------ |
 * | `callback.accepted`  | it is stored                                     | `method`, `origin`                                                 |
 * | `callback.attempted` | an attempt is recorded, whatever came of it      | `attempt`, `statusCode`, `reason`, `durationNs`, `ending`          |
 * | `callback.delivered` | it is delivered                                  | `attempts`, `statusCode`, `latencyMs`                              |
 * | `callback.failed`    | it fails for good, or expires                    | `ending`, `attempts`, `statusCode`, `reason`, `parked`, `origin`   |
 * | `endpoint.disabled`  | a receiver answered 410, or somebody disabled it | `endpointId`, `reason`                                             |
 *
 * Common to those about callbacks: `callbackId`, `queue`, `endpointId`. `origin` is scheme, host and
 * port of the URL; `echo` (echo.ts) is there for what is told of echoes. What is absent has no member.
 * Where a callback has a trace, its events have it too, as header `traceparent` and as `spanContext`.
 * Bodies, other headers, secrets and the rest of URLs are never told. An attempt of unknown outcome,
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
  /** When the log is in the same database, and a statement may append to it by itself. */
  readonly inStatement?: StatementLog | undefined;
}

/** A log that a statement appends to, for events that come thousands a second: see told-statement.ts. */
export interface StatementLog {
  /**
   * The SQL function that appends events of {@link callbackEventTopic}. Takes, with an entry for each
   * event: places (`integer[]`), names, keys, envelopes and W3C trace contexts or null (`text[]`).
   */
  readonly appendFunction: string;
  /** The place of an event with this key. */
  placeOf(key: string): number;
  /** To be called when something was appended. */
  hint(): void;
}

/** A sink for who has no event log. */
export const noEvents: CallbackEventSink = { wants: () => false, append: async () => undefined };

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
  const payload = { endpointId: id, reason, ...(echo > 0 ? { echo } : {}) };
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
  /** Its own: one may tell its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** An event about a callback, with what is common to all of them and these fields. */
export function toCallbackEvent(
  name: CallbackEventName,
  { callbackId, application, queue, endpointId, headers }: EventSubject,
  fields: JsonObject,
): CallbackEvent {
  const traceparent = headers?.traceparent;
  const spanContext = toSpanContext(traceparent);
  const payload: JsonObject = {
    callbackId,
    ...(endpointId === undefined ? {} : { endpointId }),
    ...(queue === undefined ? {} : { queue }),
    ...fields,
  };
  return {
    topic: callbackEventTopic,
    key: queue === undefined ? callbackId : `${application}/${queue}`,
    envelope: createEnvelope({
      name,
      namespace: application,
      payload,
      ...(spanContext === undefined ? {} : { spanContext }),
    }),
    traceparent,
  };
}
