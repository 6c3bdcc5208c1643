import {
  type CallbackEventName,
  callbackEventTopic,
  createEnvelope,
  type EventEnvelope,
  type JsonObject,
  toSpanContext,
} from '@posthaste/contracts';
import type { Transaction } from '@posthaste/postgres';

/*
 * Events about callbacks and endpoints.
 *
 * To add one:
 * 1. Add its name to packages/contracts/src/callback-event-names.ts.
 * 2. Build it where it happens: in intake/accepted-events.ts when a callback is stored, as an entry
 *    of `kinds` in results/result-events.ts when a result is recorded, in this file when it is about
 *    an endpoint.
 * 3. Add a row with its payload to the table of events in the package's README.
 * 4. Run `npm run docs`: docs/configuration.md lists the names.
 *
 * An event belongs to the application of its callback or endpoint, which is its namespace too. A member without a value is left out. Where a
 * callback has a trace, its events have it too, as header `traceparent` and as `spanContext`. No
 * event has bodies, other headers, secrets or more of a URL than its origin.
 */

/** Event on its way into the log. */
export interface CallbackEvent {
  readonly topic: string;
  /**
   * `<application>/<queue>` for a callback in a queue, else the callback's id; the id of an
   * endpoint. Events of one key are appended in the order in which they happened.
   */
  readonly key: string;
  /** Application of the callback or endpoint, which the event belongs to. */
  readonly application: string;
  readonly envelope: EventEnvelope;
  /** W3C trace context of the callback, if it came with one. */
  readonly traceparent?: string | undefined;
}

/**
 * Receiver of events, such as an event log. Events are part of the transaction that they are about.
 */
export interface CallbackEventSink {
  /** True if events of this name are wanted now. */
  wants(name: CallbackEventName): boolean;
  append(tx: Transaction, events: readonly CallbackEvent[]): Promise<unknown>;
  /** Present when endpoints that are disabled by a result are recorded, such as in an audit log. */
  readonly disables?: DisableRecorder | undefined;
  /** Present when the log is in the same database, and a statement may append to it by itself. */
  readonly inStatement?: StatementLog | undefined;
}

/** Endpoint that was disabled because of a result. */
export interface RecordedDisable extends Omit<DisabledEndpointFields, 'echo'> {
  readonly name: string;
  /** State that it had before. */
  readonly stateBefore: string;
}

/** Recorder of endpoints that are disabled without a request. */
export interface DisableRecorder {
  /** Called in the transaction before the endpoint is changed: for a lock. */
  lock(tx: Transaction, endpointId: string): Promise<unknown>;
  /** Called in the transaction after all other changes. */
  record(tx: Transaction, endpoints: readonly RecordedDisable[]): Promise<unknown>;
}

/**
 * Log that a statement can append to, for events that come thousands a second: see
 * delivered-events-statement.ts.
 */
export interface StatementLog {
  /**
   * SQL function that appends events of {@link callbackEventTopic}. Its arguments are arrays with
   * an entry for each event: shards (`integer[]`), names, keys, envelopes, W3C trace contexts or null,
   * and applications (`text[]`).
   */
  readonly appendFunction: string;
  /** Returns the shard of a key: the number by which the log identifies the key's partition. */
  shardOf(key: string): number;
  /** Notifies readers of an append. Call it after each. */
  hint(): void;
}

/** Sink that wants no events. */
export const noEvents: CallbackEventSink = { wants: () => false, append: async () => undefined };

/** Values of an event about a disabled endpoint. */
export interface DisabledEndpointFields {
  readonly id: string;
  readonly application: string;
  readonly reason: string;
  /** Echo of the callback that was answered with 410, if the endpoint was disabled for that. */
  readonly echo?: number | undefined;
}

/** Builds the event `endpoint.disabled`. */
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
    application,
    envelope: createEnvelope({ name: 'endpoint.disabled', namespace: application, payload }),
  };
}

/** Callback that an event is about. */
export interface EventSubject {
  readonly callbackId: string;
  readonly application: string;
  readonly queue: string | undefined;
  readonly endpointId: string | undefined;
  /** The callback's own headers, which may have its trace. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** Builds an event about a callback: the members that all of them have, and `fields`. */
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
    application,
    envelope: createEnvelope({
      name,
      namespace: application,
      payload,
      ...(spanContext === undefined ? {} : { spanContext }),
    }),
    traceparent,
  };
}
