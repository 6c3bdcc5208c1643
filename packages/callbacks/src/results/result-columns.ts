import type { Attempt, DeliveryResult } from '../delivery/delivery.js';

/** Bits of an attempt's three flags: one array parameter instead of three. */
const flagBits = { truncated: 1, cut: 2, resent: 4 } as const;

/**
 * Parameters that all statements that write results begin with: arrays, see {@link resultValues}.
 */
export const resultArrays: string = `$1::uuid[], $2::uuid[], $3::text[], $4::float8[], $5::bigint[], $6::int[],
    $7::text[], $8::text[], $9::json[], $10::bytea[], $11::int[]`;
/** Names for the columns of `unnest` of {@link resultArrays}. */
export const resultColumns: string = `callback_id, lease_token, ending, started_ms, duration_ns, status_code,
    reason, detail, response_headers, response_body, flags`;

/** Columns of `history` that a result fills. */
export const historyColumns: string = `callback_id, step, machine, leased_at, leased_until, completed_at,
    started_at, duration_ns, status_code, reason, detail, response_headers, response_body,
    truncated, cut, resent, ending`;

/**
 * Values of {@link historyColumns} in the rows of `of`, whose column `ending` has the ending.
 * Workers know the database's clock with a small error only: an attempt's start that would be
 * before its lease is moved to it.
 */
export const historyValues = (of: string, ending: string): string => `
    ${of}.callback_id, ${of}.step, ${of}.lease_holder, ${of}.leased_at, ${of}.leased_until, now(),
    case when ${of}.started_ms is not null
      then greatest(to_timestamp(${of}.started_ms / 1000), ${of}.leased_at) end,
    ${of}.duration_ns, ${of}.status_code, ${of}.reason,
    ${of}.detail, ${of}.response_headers, ${of}.response_body,
    ${of}.flags & ${flagBits.truncated} <> 0, ${of}.flags & ${flagBits.cut} <> 0,
    ${of}.flags & ${flagBits.resent} <> 0, ${of}.${ending}`;

/** Returns the values of {@link resultArrays}, with one entry for each result. */
export function resultValues(results: readonly DeliveryResult[]): unknown[] {
  const attempts = results.map(({ attempt }) => attempt);
  return [
    results.map(({ delivery }) => delivery.callbackId),
    results.map(({ delivery }) => delivery.leaseToken),
    results.map(({ verdict }) => (verdict.kind === 'ended' ? verdict.ending : null)),
    attempts.map((attempt) => attempt?.startedAtMs ?? null),
    attempts.map((attempt) => attempt?.durationNs ?? null),
    attempts.map((attempt) => attempt?.statusCode ?? null),
    attempts.map((attempt) => attempt?.reason ?? null),
    results.map(toDetail),
    attempts.map((attempt) => toJson(attempt?.responseHeaders)),
    attempts.map((attempt) => attempt?.responseBody ?? null),
    attempts.map(toFlags),
  ];
}

/** Returns the description of a failure, or of the reason why nothing was sent. */
function toDetail({ attempt, verdict }: DeliveryResult): string | null {
  const note = verdict.kind === 'retry' ? verdict.note : undefined;
  return attempt?.detail ?? note ?? null;
}

function toFlags(attempt: Attempt | undefined): number {
  if (!attempt) return 0;
  return (
    (attempt.truncated ? flagBits.truncated : 0) |
    (attempt.cut ? flagBits.cut : 0) |
    (attempt.resent ? flagBits.resent : 0)
  );
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
