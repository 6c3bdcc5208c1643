/** Callbacks as the native API shows them. */

import {
  type AcceptedCallback,
  type CallbackState,
  type CallbackSummary,
  type CallbackView,
  toPolicyInput,
} from '@posthaste/callbacks';
import { type Static, type TSchema, Type } from 'typebox';
import { bodyFields, showBody } from '../schemas/body-view.js';
import {
  headersSchema,
  idSchema,
  momentSchema,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import {
  attemptSchema,
  attemptSummarySchema,
  leaseSchema,
  showAttempt,
  showAttemptSummary,
  showLease,
} from './history-view.js';
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

const Queue = nullable(Type.String({ description: 'Null: ordered with nothing.' }));
const DueAt = nullable({
  ...momentSchema,
  description:
    'No attempt starts before this. Once it is past, the callback waits for those ahead of it in its queue, for a worker, or for its host, which is tried less often after failures in a row.',
});
const EndedAt = nullable({ ...momentSchema, description: 'Null while it is alive.' });

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
      headers: {
        ...headersSchema,
        description: 'Those of the trace that it was handed in with included.',
      },
      ...bodyFields,
      timeoutMs: Type.Integer(),
      retry: retryRuleSchema,
      secret: nullable(Type.String()),
      notificationEmail: nullable(Type.String()),
    }),
    attempts: Type.Array(attemptSchema, { description: 'Oldest first.' }),
    leases: Type.Array(leaseSchema, {
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
    lastAttempt: nullable(attemptSummarySchema),
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
  const { request } = view;
  const shown: Static<typeof Callback> = {
    ...showStanding(view),
    cancelling: view.cancelling,
    expiresAt: toMoment(view.expiresAt),
    request: {
      url: request.url,
      method: toMethod(request.method),
      headers: { ...request.headers },
      ...showBody(request.body),
      timeoutMs: request.timeoutMs,
      retry: toPolicyInput(request.policy),
      secret: request.secret ?? null,
      notificationEmail: request.notificationEmail ?? null,
    },
    attempts: view.attempts.map(showAttempt),
    leases: view.leases.map(showLease),
    shortened: view.shortened,
  };
  return shown;
}

export function showSummary(summary: CallbackSummary): object {
  const shown: Static<typeof Summary> = {
    ...showStanding(summary),
    method: toMethod(summary.method),
    url: summary.url,
    lastAttempt: summary.lastAttempt ? showAttemptSummary(summary.lastAttempt) : null,
  };
  return shown;
}

/** Where a callback stands, by itself and in a list. */
function showStanding(callback: CallbackView | CallbackSummary) {
  return {
    id: callback.id,
    application: callback.application,
    queue: callback.queue ?? null,
    endpointId: callback.endpointId ?? null,
    state: callback.state,
    hold: callback.hold ?? null,
    createdAt: callback.createdAt.toISOString(),
    dueAt: toMoment(callback.dueAt),
    endedAt: toMoment(callback.endedAt),
  };
}

export function showAccepted({ id, createdAt, request }: AcceptedCallback): object {
  const shown: Static<typeof Accepted> = {
    id,
    application: request.application,
    queue: request.queue ?? null,
    method: toMethod(request.method),
    url: request.url,
    createdAt: createdAt.toISOString(),
  };
  return shown;
}

/** Clients of the compatible API may leave the method out: it is then sent as GET. */
function toMethod(method: string): string {
  return method === '' ? 'GET' : method;
}
