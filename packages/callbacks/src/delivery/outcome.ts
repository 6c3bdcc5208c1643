import { parseRetryAfter } from '../retry/retry-after.js';
import { nextAttempt } from '../retry/retry-policy.js';
import type { Attempt, Delivery, FailureReason, Verdict } from './delivery.js';

/** What came of one HTTP request: the port that an HTTP client fulfils, see `HttpClient`. */
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
      /** The request itself is at fault, and would fail again in the same way. */
      readonly permanent: boolean;
      readonly resent: boolean;
      readonly durationNs: bigint;
    };

/** What an attempt told about its host. */
export type HostSignal =
  | { readonly kind: 'answered' }
  | { readonly kind: 'overloaded'; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'slow' }
  | { readonly kind: 'unreachable' };

export interface ClassifiedOutcome {
  readonly attempt: Attempt;
  readonly verdict: Verdict;
  /** What was learnt about the host; absent when it was never asked. */
  readonly signal: HostSignal | undefined;
}

const unreachable: ReadonlySet<FailureReason> = new Set(['dns', 'refused', 'reset', 'tls']);

/** Decides what an outcome means, for the callback and for its host. Pure. */
export function classifyOutcome(
  delivery: Delivery,
  outcome: HttpOutcome,
  startedAtMs: number,
  nowMs: number,
  random: number,
): ClassifiedOutcome {
  const attempt = toAttempt(outcome, startedAtMs);
  if (attempt.reason === undefined) {
    const verdict: Verdict = { kind: 'ended', ending: 'delivered' };
    return { attempt, verdict, signal: { kind: 'answered' } };
  }
  const neverWorks = outcome.kind === 'failure' && outcome.permanent;
  // A receiver that is gone for good (410) disables its endpoint: what is owed to it waits there.
  const gone = attempt.statusCode === 410 && delivery.endpointId !== undefined;
  if (neverWorks || gone) {
    const verdict: Verdict = { kind: 'ended', ending: 'failed' };
    return { attempt, verdict, signal: neverWorks ? undefined : { kind: 'answered' } };
  }
  const retryAfterMs =
    outcome.kind === 'response'
      ? parseRetryAfter(header(outcome, 'retry-after'), header(outcome, 'date'), nowMs)
      : undefined;
  return {
    attempt,
    verdict: verdictOf(delivery, { retryAfterMs, nowMs, random }),
    signal: signalOf(attempt, retryAfterMs),
  };
}

function verdictOf(
  delivery: Delivery,
  now: { retryAfterMs: number | undefined; nowMs: number; random: number },
): Verdict {
  const answer = nextAttempt({
    policy: delivery.request.policy,
    failures: delivery.failures + 1,
    ageMs: now.nowMs - delivery.createdAtMs,
    expiresInMs: delivery.expiresAtMs === undefined ? undefined : delivery.expiresAtMs - now.nowMs,
    retryAfterMs: now.retryAfterMs,
    random: now.random,
  });
  return answer.kind === 'retry' ? answer : { kind: 'ended', ending: answer.ending };
}

function signalOf(attempt: Attempt, retryAfterMs: number | undefined): HostSignal {
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
    detail: delivered ? undefined : statusDetail(statusCode, header(outcome, 'location')),
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

function header(outcome: HttpOutcome & { kind: 'response' }, name: string): string | undefined {
  return outcome.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}
