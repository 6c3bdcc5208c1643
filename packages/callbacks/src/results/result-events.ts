import type { CallbackEventName, JsonObject } from '@posthaste/contracts';
import type { DeliveryResult } from '../delivery/delivery.js';
import { parseFairnessKey } from '../delivery/fairness-key.js';
import {
  type CallbackEvent,
  type CallbackEventSink,
  toCallbackEvent,
} from '../events/callback-events.js';
import type { RecordedResult } from './result-store.js';

type Wants = CallbackEventSink['wants'];

/** Kind of event about results. */
interface ResultEventKind {
  readonly name: CallbackEventName;
  /** True if the result makes such an event. */
  readonly appliesTo: (recorded: RecordedResult) => boolean;
  /** Returns the payload, without the members that all events about callbacks have. */
  readonly toFields: (recorded: RecordedResult) => JsonObject;
}

/**
 * All kinds, in the order in which they happen. A callback that was made for an event about
 * callbacks (`echo` over 0) makes an event only when it fails: see loop-guard.ts.
 */
const kinds: readonly ResultEventKind[] = [
  {
    name: 'callback.attempted',
    appliesTo: ({ result }) => result.attempt !== undefined && result.delivery.echo === 0,
    toFields: toAttemptedFields,
  },
  {
    name: 'callback.delivered',
    appliesTo: ({ result, ending }) => ending === 'delivered' && result.delivery.echo === 0,
    toFields: toDeliveredFields,
  },
  {
    name: 'callback.failed',
    appliesTo: ({ ending }) => ending === 'failed' || ending === 'expired',
    toFields: toFailedFields,
  },
];

/** True if the result makes an event that is wanted. */
export function hasEvents(recorded: RecordedResult, wants: Wants): boolean {
  return kinds.some(({ name, appliesTo }) => appliesTo(recorded) && wants(name));
}

/** Returns the wanted events about a result, in the order in which they happened. */
export function toResultEvents(recorded: RecordedResult, wants: Wants): CallbackEvent[] {
  const wanted = kinds.filter(({ name, appliesTo }) => appliesTo(recorded) && wants(name));
  if (wanted.length === 0) return [];
  const { callbackId, application, queue, endpointId, request } = recorded.result.delivery;
  const subject = { callbackId, application, queue, endpointId, headers: request.headers };
  return wanted.map(({ name, toFields }) => toCallbackEvent(name, subject, toFields(recorded)));
}

/**
 * Returns the members of `callback.attempted`. An attempt of unknown outcome has no such event; the
 * next attempt's `attempt` counts it.
 */
function toAttemptedFields({ result, ending }: RecordedResult): JsonObject {
  const { attempt } = result;
  return {
    attempt: attemptsOf(result),
    ...toOutcomeFields(result),
    durationNs: attempt?.durationNs ?? 0n,
    ...(ending === undefined ? {} : { ending }),
  };
}

function toDeliveredFields({ result }: RecordedResult): JsonObject {
  return {
    attempts: attemptsOf(result),
    ...toOutcomeFields(result),
    latencyMs: latencyMsOf(result),
  };
}

function toFailedFields({ result, ending, parked }: RecordedResult): JsonObject {
  const { echo, fairnessKey } = result.delivery;
  return {
    ...(ending === undefined ? {} : { ending }),
    origin: parseFairnessKey(fairnessKey).origin,
    attempts: attemptsOf(result),
    ...toOutcomeFields(result),
    parked,
    ...(echo > 0 ? { echo } : {}),
  };
}

/** Returns status and reason of the attempt that was made under this lease, if there was one. */
function toOutcomeFields({ attempt }: DeliveryResult): JsonObject {
  if (!attempt) return {};
  const { statusCode, reason } = attempt;
  return reason === undefined ? { statusCode } : { statusCode, reason };
}

/** Returns the whole milliseconds from the callback's acceptance to the end of the attempt. */
export function latencyMsOf({ delivery, attempt }: DeliveryResult): number {
  const endedAtMs = (attempt?.startedAtMs ?? 0) + Number(attempt?.durationNs ?? 0n) / 1e6;
  return Math.max(0, Math.round(endedAtMs - delivery.createdAtMs));
}

/** Returns the number of attempts so far, including those of unknown outcome. */
export function attemptsOf({ delivery, attempt }: DeliveryResult): number {
  return delivery.failures + delivery.unknowns + (attempt ? 1 : 0);
}
