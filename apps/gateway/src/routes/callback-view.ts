/** Callbacks as the native API shows them. */

import { isUtf8 } from 'node:buffer';
import {
  type AcceptedCallback,
  type AttemptSummary,
  type AttemptView,
  type CallbackState,
  type CallbackSummary,
  type CallbackView,
  type LeaseView,
  toPolicyInput,
} from '@posthaste/callbacks';
import { nsToMs } from '@posthaste/contracts';
import { type Static, type TSchema, Type } from 'typebox';
import { idSchema, momentSchema, nullable, toMoment } from './field-schemas.js';
import { retryRuleSchema } from './retry-choice.js';

/** Every state of a callback, for filters and documents. */
export const callbackStates: readonly CallbackState[] = [
  'waiting',
  'pending',
  'leased',
  'held',
  'delivered',
  'failed',
  'expired',
  'cancelled',
];

const State = Type.Enum([...callbackStates], {
  type: 'string',
  description:
    '`waiting` behind the head of its queue, `pending` until it is due or taken, `leased` while a worker holds it, `held` while something stops it; then `delivered`, `failed`, `expired` or `cancelled`.',
});

const Hold = Type.Unsafe<'paused' | 'parked' | 'endpoint' | null>({
  type: ['string', 'null'],
  enum: ['paused', 'parked', 'endpoint', null],
  description:
    'What stops it while `held`: its queue is paused, or parked after a failure; its endpoint takes nothing.',
});

const StatusCode = Type.Integer({ description: '0 when there was no answer.' });
const Reason = nullable(
  Type.String({
    description:
      'Why it failed: `dns`, `refused`, `reset`, `tls`, `timeout`, `blocked`, `too_large`, `protocol`, `status` or `unknown`. Null on success.',
  }),
);
const DurationMs = Type.Number({ description: 'Milliseconds, with their decimals.' });

const Text = nullable(Type.String({ description: 'The body, if it is UTF-8.' }));
const Base64 = nullable(Type.String({ description: 'The body, if it is not UTF-8.' }));
const Queue = nullable(Type.String({ description: 'Null: ordered with nothing.' }));
const DueAt = nullable({ ...momentSchema, description: 'No attempt starts before this.' });
const EndedAt = nullable({ ...momentSchema, description: 'Null while it is alive.' });

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
        text: Text,
        base64: Base64,
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

const Callback = Type.Object(
  {
    id: idSchema,
    application: Type.String(),
    queue: Queue,
    endpointId: nullable(idSchema),
    state: State,
    hold: Hold,
    cancelling: Type.Boolean({
      description: 'It was cancelled during an attempt: that one is its last.',
    }),
    createdAt: momentSchema,
    dueAt: DueAt,
    expiresAt: nullable(momentSchema),
    endedAt: EndedAt,
    request: Type.Object({
      url: Type.String(),
      method: Type.String(),
      headers: Type.Object({}, { additionalProperties: Type.String() }),
      text: Text,
      base64: Base64,
      timeoutMs: Type.Integer(),
      retry: retryRuleSchema,
      secret: nullable(Type.String()),
      notificationEmail: nullable(Type.String()),
    }),
    attempts: Type.Array(Attempt, { description: 'Oldest first.' }),
    leases: Type.Array(Lease, {
      description: "Workers' holds on it, oldest first, the running one included.",
    }),
    shortened: Type.Boolean({
      description: 'Attempts and leases before the last 1,000 are left out.',
    }),
  },
  { title: 'Callback' },
);

const Summary = Type.Object(
  {
    id: idSchema,
    application: Type.String(),
    queue: Queue,
    endpointId: nullable(idSchema),
    state: State,
    hold: Hold,
    method: Type.String(),
    url: Type.String(),
    createdAt: momentSchema,
    dueAt: DueAt,
    endedAt: EndedAt,
    lastAttempt: nullable(
      Type.Object({
        startedAt: momentSchema,
        durationMs: DurationMs,
        statusCode: StatusCode,
        reason: Reason,
      }),
    ),
  },
  { title: 'CallbackSummary' },
);

const Accepted = Type.Object(
  {
    id: idSchema,
    application: Type.String(),
    queue: Queue,
    method: Type.String(),
    url: Type.String(),
    createdAt: momentSchema,
  },
  {
    title: 'AcceptedCallback',
    description: 'Committed. `GET /v1/callbacks/{id}` shows what becomes of it.',
  },
);

/** One with everything that happened to it. */
export const callbackSchema: TSchema = Callback;
/** One in a list. */
export const callbackSummarySchema: TSchema = Summary;
/** The answer to one that was just taken: the same whenever the request is repeated. */
export const acceptedSchema: TSchema = Accepted;

export function showCallback(view: CallbackView): object {
  return toCallback(view);
}

export function showSummary(summary: CallbackSummary): object {
  return toSummary(summary);
}

export function showAccepted(accepted: AcceptedCallback): object {
  return toAccepted(accepted);
}

function toCallback(view: CallbackView): Static<typeof Callback> {
  const { request } = view;
  return {
    id: view.id,
    application: view.application,
    queue: view.queue ?? null,
    endpointId: view.endpointId ?? null,
    state: view.state,
    hold: view.hold ?? null,
    cancelling: view.cancelling,
    createdAt: view.createdAt.toISOString(),
    dueAt: toMoment(view.dueAt),
    expiresAt: toMoment(view.expiresAt),
    endedAt: toMoment(view.endedAt),
    request: {
      url: request.url,
      method: toMethod(request.method),
      headers: { ...request.headers },
      ...toBody(request.body),
      timeoutMs: request.timeoutMs,
      retry: toPolicyInput(request.policy),
      secret: request.secret ?? null,
      notificationEmail: request.notificationEmail ?? null,
    },
    attempts: view.attempts.map(toAttempt),
    leases: view.leases.map(toLease),
    shortened: view.shortened,
  };
}

function toAttempt(attempt: AttemptView): Static<typeof Attempt> {
  const { responseHeaders, responseBody, truncated, cut } = attempt;
  return {
    ...toAttemptSummary(attempt),
    detail: attempt.detail ?? null,
    response: responseHeaders
      ? {
          headers: responseHeaders.map((header) => [...header]),
          ...toBody(responseBody),
          truncated,
          cut,
        }
      : null,
    resent: attempt.resent,
  };
}

function toLease({ machine, acquiredAt, until, completedAt }: LeaseView): Static<typeof Lease> {
  return {
    machine,
    acquiredAt: acquiredAt.toISOString(),
    until: until.toISOString(),
    completedAt: toMoment(completedAt),
  };
}

function toSummary(summary: CallbackSummary): Static<typeof Summary> {
  return {
    id: summary.id,
    application: summary.application,
    queue: summary.queue ?? null,
    endpointId: summary.endpointId ?? null,
    state: summary.state,
    hold: summary.hold ?? null,
    method: toMethod(summary.method),
    url: summary.url,
    createdAt: summary.createdAt.toISOString(),
    dueAt: toMoment(summary.dueAt),
    endedAt: toMoment(summary.endedAt),
    lastAttempt: summary.lastAttempt ? toAttemptSummary(summary.lastAttempt) : null,
  };
}

function toAttemptSummary({ startedAtMs, durationNs, statusCode, reason }: AttemptSummary) {
  return {
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs: nsToMs(durationNs),
    statusCode,
    reason: reason ?? null,
  };
}

function toAccepted({ id, createdAt, request }: AcceptedCallback): Static<typeof Accepted> {
  return {
    id,
    application: request.application,
    queue: request.queue ?? null,
    method: toMethod(request.method),
    url: request.url,
    createdAt: createdAt.toISOString(),
  };
}

/** Clients of the compatible API may leave the method out: it is then sent as GET. */
function toMethod(method: string): string {
  return method === '' ? 'GET' : method;
}

function toBody(body: Buffer | undefined): { text: string | null; base64: string | null } {
  if (body === undefined) return { text: null, base64: null };
  return isUtf8(body)
    ? { text: body.toString('utf8'), base64: null }
    : { text: null, base64: body.toString('base64') };
}
