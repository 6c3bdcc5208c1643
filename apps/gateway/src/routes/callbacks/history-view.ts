/** History of a callback in answers: its attempts, and the leases by workers. */

import type { AttemptSummary, AttemptView, LeaseView } from '@posthaste/callbacks';
import { nsToMs } from '@posthaste/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import {
  bodyFields,
  momentSchema,
  nullable,
  toBodyView,
  toMoment,
} from '../schemas/field-schemas.js';

const StatusCode = Type.Integer({ description: '0 if there was no answer.' });
const Reason = nullable(
  Type.String({
    description:
      'Reason of the failure: `dns`, `refused`, `reset`, `tls`, `timeout`, `blocked`, `too_large`, `protocol`, `status` or `unknown`. Null on success.',
  }),
);
const DurationMs = Type.Number({ description: 'Duration in milliseconds, with decimals.' });

const Summary = Type.Object({
  startedAt: momentSchema,
  durationMs: DurationMs,
  statusCode: StatusCode,
  reason: Reason,
});

/** JSON of an attempt in a list of callbacks. */
export interface AttemptSummaryView {
  startedAt: string;
  durationMs: number;
  statusCode: number;
  reason: string | null;
}

const Attempt = Type.Object(
  {
    startedAt: momentSchema,
    durationMs: DurationMs,
    statusCode: StatusCode,
    reason: Reason,
    detail: nullable(Type.String({ description: 'Reason of the failure, for people.' })),
    response: nullable(
      Type.Object({
        headers: Type.Array(Type.Array(Type.String()), {
          description: 'Names and values, in the order of the answer.',
          examples: [[['content-type', 'text/plain']]],
        }),
        ...bodyFields,
        truncated: Type.Boolean({
          description: 'True if the body was longer than what is stored.',
        }),
        cut: Type.Boolean({
          description: 'True if the connection ended before the body was complete.',
        }),
      }),
    ),
    resent: Type.Boolean({
      description:
        'True if a kept-alive connection was already closed, and the request was sent again at once.',
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
      description: 'Null while the lease runs, and if its worker crashed.',
    }),
    note: nullable(
      Type.String({ description: 'Reason why nothing was sent under it, for people.' }),
    ),
  },
  { title: 'Lease' },
);

/** An attempt in a list of callbacks. */
export const attemptSummarySchema: TSchema & { readonly type: 'object' } = Summary;
/** An attempt with the answer to it. */
export const attemptSchema: TSchema = Attempt;
/** Lease of a callback by a worker. */
export const leaseSchema: TSchema = Lease;

export function toAttemptView(attempt: AttemptView): object {
  const { responseHeaders, responseBody, truncated, cut } = attempt;
  const result: Static<typeof Attempt> = {
    ...toAttemptSummaryView(attempt),
    detail: attempt.detail ?? null,
    response: responseHeaders
      ? {
          headers: responseHeaders.map((header) => [...header]),
          ...toBodyView(responseBody),
          truncated,
          cut,
        }
      : null,
    resent: attempt.resent,
  };
  return result;
}

export function toLeaseView({ machine, acquiredAt, until, completedAt, note }: LeaseView): object {
  const result: Static<typeof Lease> = {
    machine,
    acquiredAt: acquiredAt.toISOString(),
    until: until.toISOString(),
    completedAt: toMoment(completedAt),
    note: note ?? null,
  };
  return result;
}

export function toAttemptSummaryView({
  startedAtMs,
  durationNs,
  statusCode,
  reason,
}: AttemptSummary): AttemptSummaryView {
  return {
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs: nsToMs(durationNs),
    statusCode,
    reason: reason ?? null,
  };
}
