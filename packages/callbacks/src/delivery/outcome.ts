import { parseRetryAfter } from '../retry/retry-after.js';
import { decideRetry } from '../retry/retry-policy.js';
import type { Attempt, Delivery, FailureReason, Verdict } from './delivery.js';

/** Outcome of one HTTP request, as an `HttpClient` reports it. */
export type HttpOutcome =
  | {
      readonly kind: 'response';
      readonly statusCode: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: Buffer;
      readonly truncated: boolean;
      readonly cut: boolean;
      readonly resent: boolean;
      readonly durationNs: bigint;
    }
  | {
      readonly kind: 'failure';
      readonly reason: Exclude<FailureReason, 'status'>;
      readonly detail: string;
      /** True if the request itself is at fault, and would fail again in the same way. */
      readonly permanent: boolean;
      readonly resent: boolean;
      readonly durationNs: bigint;
    };

/**
 * Information that an attempt yields: about the receiver (`overloaded`, `slow`) or about its host
 * (`unreachable`).
 */
export type HostSignal =
  | { readonly kind: 'answered' }
  | { readonly kind: 'overloaded'; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'slow' }
  | { readonly kind: 'unreachable' };

/** Outcome of an attempt, with the decisions that follow from it. */
export interface ClassifiedOutcome {
  readonly attempt: Attempt;
  readonly verdict: Verdict;
  /** Absent when the host was never asked. */
  readonly signal: HostSignal | undefined;
}

/** Values that a decision about an outcome depends on; times are by the database's clock, in ms. */
export interface OutcomeContext {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Shortest delay of retries, after the first few. Default 0. */
  readonly minRetryDelayMs?: number | undefined;
  /** In [0, 1). */
  readonly random: number;
}

/** Reason that is shown for an endpoint that was disabled because its receiver is gone. */
export const goneReason = 'its receiver answered 410 Gone';

const unreachable: ReadonlySet<FailureReason> = new Set(['dns', 'refused', 'reset', 'tls']);

/**
 * Decides what an outcome means for the callback and for its host. Pure.
 *
 * A receiver that answers 410 is gone for good. Here, and nowhere else, this becomes the verdict's
 * `endpointGone`: the callback fails at once, and its endpoint is disabled, where later callbacks
 * are held. A callback without an endpoint is retried as after any other failure.
 */
export function classifyOutcome(
  delivery: Delivery,
  outcome: HttpOutcome,
  { startedAtMs, endedAtMs, minRetryDelayMs, random }: OutcomeContext,
): ClassifiedOutcome {
  const attempt = toAttempt(outcome, startedAtMs);
  if (attempt.reason === undefined) {
    const verdict: Verdict = { kind: 'ended', ending: 'delivered' };
    return { attempt, verdict, signal: { kind: 'answered' } };
  }
  if (outcome.kind === 'failure' && outcome.permanent) {
    return { attempt, verdict: { kind: 'ended', ending: 'failed' }, signal: undefined };
  }
  if (attempt.statusCode === 410 && delivery.endpointId !== undefined) {
    const verdict: Verdict = { kind: 'ended', ending: 'failed', endpointGone: true };
    return { attempt, verdict, signal: { kind: 'answered' } };
  }
  const retryAfterMs =
    outcome.kind === 'response'
      ? parseRetryAfter(findHeader(outcome, 'retry-after'), findHeader(outcome, 'date'), endedAtMs)
      : undefined;
  return {
    attempt,
    verdict: toVerdict(delivery, { retryAfterMs, minRetryDelayMs, nowMs: endedAtMs, random }),
    signal: toSignal(attempt, retryAfterMs),
  };
}

interface VerdictContext extends Pick<OutcomeContext, 'minRetryDelayMs' | 'random'> {
  readonly retryAfterMs: number | undefined;
  readonly nowMs: number;
}

function toVerdict(
  delivery: Delivery,
  { nowMs, minRetryDelayMs: minDelayMs, retryAfterMs, random }: VerdictContext,
): Verdict {
  const { createdAtMs, expiresAtMs } = delivery;
  const decision = decideRetry({
    policy: delivery.request.policy,
    failures: delivery.failures + 1,
    ageMs: nowMs - createdAtMs,
    expiresInMs: expiresAtMs === undefined ? undefined : expiresAtMs - nowMs,
    retryAfterMs,
    minDelayMs,
    random,
  });
  return decision.kind === 'retry' ? decision : { kind: 'ended', ending: decision.ending };
}

function toSignal(attempt: Attempt, retryAfterMs: number | undefined): HostSignal {
  if (attempt.statusCode === 429 || attempt.statusCode === 503) {
    return { kind: 'overloaded', retryAfterMs };
  }
  if (attempt.reason === 'timeout') return { kind: 'slow' };
  if (attempt.reason && unreachable.has(attempt.reason)) return { kind: 'unreachable' };
  return { kind: 'answered' };
}

function toAttempt(outcome: HttpOutcome, startedAtMs: number): Attempt {
  const { durationNs, resent } = outcome;
  if (outcome.kind === 'failure') {
    const { reason, detail } = outcome;
    const empty = {
      responseHeaders: undefined,
      responseBody: undefined,
      truncated: false,
      cut: false,
    };
    return { startedAtMs, durationNs, statusCode: 0, reason, detail, resent, ...empty };
  }
  const { statusCode, headers, body, truncated, cut } = outcome;
  const delivered = statusCode >= 200 && statusCode < 300;
  return {
    startedAtMs,
    durationNs,
    statusCode,
    reason: delivered ? undefined : 'status',
    detail: delivered ? undefined : statusDetail(statusCode, findHeader(outcome, 'location')),
    responseHeaders: headers,
    responseBody: body,
    truncated,
    cut,
    resent,
  };
}

function statusDetail(statusCode: number, location: string | undefined): string {
  if (statusCode < 300 || statusCode > 399) return `the receiver answered ${statusCode}`;
  const to = location === undefined ? '' : ` to ${location.slice(0, 512)}`;
  return `the receiver answered ${statusCode}${to}; redirects are not followed`;
}

function findHeader(outcome: HttpOutcome & { kind: 'response' }, name: string): string | undefined {
  return outcome.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}
