import type { JsonObject } from '@posthaste/contracts';
import type { DeliveryResult, Ending } from '../delivery/delivery.js';
import { parseFairnessKey } from '../delivery/fairness-key.js';
import {
  type CallbackEvent,
  type CallbackEventName,
  type CallbackEventSink,
  toCallbackEvent,
} from '../events/callback-events.js';

/** A result as it was recorded. */
export interface RecordedResult {
  readonly result: DeliveryResult;
  /** How the callback ended, if it did. */
  readonly ending: Ending | undefined;
  /** Its queue stands still. */
  readonly parked: boolean;
}

type Wants = CallbackEventSink['wants'];

/** Whether anything is told of a result. */
export function hasEvents(told: RecordedResult, wants: Wants): boolean {
  return namesOf(told, wants).length > 0;
}

/** What a result tells of its callback, in the order in which it happened. */
export function toResultEvents(told: RecordedResult, wants: Wants): CallbackEvent[] {
  const names = namesOf(told, wants);
  if (names.length === 0) return [];
  const { callbackId, application, queue, endpointId, request } = told.result.delivery;
  const subject = { callbackId, application, queue, endpointId, headers: request.headers };
  return names.map((name) => toCallbackEvent(name, subject, fieldsOf(name, told)));
}

function namesOf({ result, ending }: RecordedResult, wants: Wants): CallbackEventName[] {
  const names: CallbackEventName[] = [];
  // Of callbacks made for events about callbacks only failures are told: see echo.ts.
  const isEcho = result.delivery.echo > 0;
  if (result.attempt && !isEcho && wants('callback.attempted')) names.push('callback.attempted');
  if (ending === 'delivered' && !isEcho && wants('callback.delivered')) {
    names.push('callback.delivered');
  }
  const isFailure = ending === 'failed' || ending === 'expired';
  if (isFailure && wants('callback.failed')) names.push('callback.failed');
  return names;
}

function fieldsOf(name: CallbackEventName, told: RecordedResult): JsonObject {
  switch (name) {
    case 'callback.attempted':
      return attemptedFields(told);
    case 'callback.delivered':
      return deliveredFields(told.result);
    default:
      return failedFields(told);
  }
}

function attemptedFields({ result, ending }: RecordedResult): JsonObject {
  const { attempt } = result;
  return {
    attempt: attemptsOf(result),
    ...outcomeFields(result),
    durationNs: attempt?.durationNs ?? 0n,
    ...(ending === undefined ? {} : { ending }),
  };
}

function deliveredFields(result: DeliveryResult): JsonObject {
  return {
    attempts: attemptsOf(result),
    ...outcomeFields(result),
    latencyMs: latencyMsOf(result),
  };
}

function failedFields({ result, ending, parked }: RecordedResult): JsonObject {
  const { echo, fairnessKey } = result.delivery;
  return {
    ...(ending === undefined ? {} : { ending }),
    origin: parseFairnessKey(fairnessKey).origin,
    attempts: attemptsOf(result),
    ...outcomeFields(result),
    parked,
    ...(echo > 0 ? { echo } : {}),
  };
}

/** Of the attempt that was made last, when this result has one. */
function outcomeFields({ attempt }: DeliveryResult): JsonObject {
  if (!attempt) return {};
  const { statusCode, reason } = attempt;
  return reason === undefined ? { statusCode } : { statusCode, reason };
}

/** From its acceptance to the end of the attempt, in whole milliseconds. */
export function latencyMsOf({ delivery, attempt }: DeliveryResult): number {
  const endedAtMs = (attempt?.startedAtMs ?? 0) + Number(attempt?.durationNs ?? 0n) / 1e6;
  return Math.max(0, Math.round(endedAtMs - delivery.createdAtMs));
}

/** Attempts made so far, those of unknown outcome among them. */
export function attemptsOf({ delivery, attempt }: DeliveryResult): number {
  return delivery.failures + delivery.unknowns + (attempt ? 1 : 0);
}
