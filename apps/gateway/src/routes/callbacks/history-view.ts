/** What happened to a callback: the attempts made for it, and the leases it was held by. */

import type { AttemptSummary, AttemptView, LeaseView } from '@posthaste/callbacks';
import { nsToMs } from '@posthaste/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import { bodyFields, showBody } from '../schemas/body-view.js';
import { momentSchema, nullable, toMoment } from '../schemas/field-schemas.js';

const StatusCode = Type.Integer({ description: '0 when there was no answer.' });
const Reason = nullable(
  Type.String({
    description:
      'Why it failed: `dns`, `refused`, `reset`, `tls`, `timeout`, `blocked`, `too_large`, `protocol`, `status` or `unknown`. Null on success.',
  }),
);
const DurationMs = Type.Number({ description: 'Milliseconds, with their decimals.' });

const Summary = Type.Object({
  startedAt: momentSchema,
  durationMs: DurationMs,
  statusCode: StatusCode,
  reason: Reason,
});

const Attempt = Type.Object(
  {
    startedAt: momentSchema,
    durationMs: DurationMs,
    statusCode: StatusCode,
    reason: Reason,
    detail: nullable(Type.String({ description: 'The same for people.' })),
    response: nullable(
      Type.Object({
        headers: Type.Array(Type.Array(Type.String()), {
          description: 'Names and values, in the order in which they came.',
          examples: [[['content-type', 'text/plain']]],
        }),
        ...bodyFields,
        truncated: Type.Boolean({ description: 'The body was longer than what is kept.' }),
        cut: Type.Boolean({ description: 'The body ended before its end.' }),
      }),
    ),
    resent: Type.Boolean({
      description:
        'A kept-alive connection turned out dead, and the request was sent again at once.',
    }),
  },
  { title: 'Attempt' },
);

const Lease = Type.Object(
  {
    machine: Type.String(),
    acquiredAt: momentSchema,
    until: momentSchema,
    completedAt: nullable({
      ...momentSchema,
      description: 'Null while it runs, and for good when its worker vanished.',
    }),
  },
  { title: 'Lease' },
);

/** An attempt at a glance. */
export const attemptSummarySchema: TSchema & { readonly type: 'object' } = Summary;
/** An attempt with its answer. */
export const attemptSchema: TSchema = Attempt;
/** A worker's hold on a callback. */
export const leaseSchema: TSchema = Lease;

export function showAttemptSummary(attempt: AttemptSummary): object {
  return toSummary(attempt);
}

export function showAttempt(attempt: AttemptView): object {
  const { responseHeaders, responseBody, truncated, cut } = attempt;
  const shown: Static<typeof Attempt> = {
    ...toSummary(attempt),
    detail: attempt.detail ?? null,
    response: responseHeaders
      ? {
          headers: responseHeaders.map((header) => [...header]),
          ...showBody(responseBody),
          truncated,
          cut,
        }
      : null,
    resent: attempt.resent,
  };
  return shown;
}

export function showLease({ machine, acquiredAt, until, completedAt }: LeaseView): object {
  const shown: Static<typeof Lease> = {
    machine,
    acquiredAt: acquiredAt.toISOString(),
    until: until.toISOString(),
    completedAt: toMoment(completedAt),
  };
  return shown;
}

function toSummary({
  startedAtMs,
  durationNs,
  statusCode,
  reason,
}: AttemptSummary): Static<typeof Summary> {
  return {
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs: nsToMs(durationNs),
    statusCode,
    reason: reason ?? null,
  };
}
