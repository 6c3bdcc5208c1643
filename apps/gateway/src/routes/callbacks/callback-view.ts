/** Callbacks in answers of the native API. */

import {
  type AcceptedCallback,
  type CallbackState,
  type CallbackSummary,
  type CallbackView,
  toPolicyInput,
} from '@posthaste/callbacks';
import { type Static, type TSchema, Type } from 'typebox';
import {
  bodyFields,
  headersSchema,
  idSchema,
  momentSchema,
  nullable,
  toBodyView,
  toMoment,
} from '../schemas/field-schemas.js';
import { maskedUrlDescription, maskQuery } from '../schemas/masking.js';
import {
  attemptSchema,
  attemptSummarySchema,
  leaseSchema,
  toAttemptSummaryView,
  toAttemptView,
  toLeaseView,
} from './history-view.js';
import { retryRuleSchema } from './retry-choice.js';

/** Every state of a callback, for filters and for the API document. */
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
    '`waiting`: behind the head of its queue. `pending`: until it is due and a worker leases it. `leased`: a worker makes an attempt. `held`: something stops it. It ends as `delivered`, `failed`, `expired` or `cancelled`.',
});

const Hold = Type.Unsafe<'paused' | 'parked' | 'endpoint' | null>({
  type: ['string', 'null'],
  enum: ['paused', 'parked', 'endpoint', null],
  description:
    'Cause of the state `held`. `paused`: its queue is paused. `parked`: its queue is parked after a failure. `endpoint`: its endpoint is paused or disabled.',
});

const Queue = nullable(Type.String({ description: 'Name of the queue; null without one.' }));
const DueAt = nullable({
  ...momentSchema,
  description:
    'No attempt starts before this time. After it, the callback waits for those ahead of it in its queue, for a worker, or for its host, which gets fewer attempts after failures in a row.',
});
const EndedAt = nullable({ ...momentSchema, description: 'Null until the callback has ended.' });

/** Fields that a callback has by itself and in a list. */
const statusFields = {
  id: idSchema,
  application: Type.String(),
  queue: Queue,
  endpointId: nullable(idSchema),
  state: State,
  hold: Hold,
};

const Callback = Type.Object(
  {
    ...statusFields,
    cancelling: Type.Boolean({
      description: 'True if it was cancelled during an attempt, which is then its last.',
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
        description: 'With the trace headers of the request that created it.',
      },
      ...bodyFields,
      timeoutMs: Type.Integer(),
      retry: retryRuleSchema,
      secret: nullable(Type.String()),
      notificationEmail: nullable(Type.String()),
    }),
    attempts: Type.Array(attemptSchema, { description: 'Oldest first.' }),
    leases: Type.Array(leaseSchema, {
      description: 'Leases by workers, oldest first, with the running one.',
    }),
    shortened: Type.Boolean({
      description: 'True if attempts and leases before the last 1,000 are left out.',
    }),
  },
  { title: 'Callback' },
);

const Summary = Type.Object(
  {
    ...statusFields,
    method: Type.String(),
    url: Type.String({ description: maskedUrlDescription }),
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
    description: 'A callback that is committed. `GET /v1/callbacks/{id}` shows its progress.',
  },
);

/** A callback with its whole history. */
export const callbackSchema: TSchema = Callback;
/** A callback in a list. */
export const callbackSummarySchema: TSchema = Summary;
/** A callback that was just accepted. A repeated request gets the same answer. */
export const acceptedSchema: TSchema = Accepted;

export function toCallbackView(view: CallbackView): object {
  const { request } = view;
  const result: Static<typeof Callback> = {
    ...toStatusView(view),
    cancelling: view.cancelling,
    expiresAt: toMoment(view.expiresAt),
    request: {
      url: request.url,
      method: toMethod(request.method),
      headers: { ...request.headers },
      ...toBodyView(request.body),
      timeoutMs: request.timeoutMs,
      retry: toPolicyInput(request.policy),
      secret: request.secret ?? null,
      notificationEmail: request.notificationEmail ?? null,
    },
    attempts: view.attempts.map(toAttemptView),
    leases: view.leases.map(toLeaseView),
    shortened: view.shortened,
  };
  return result;
}

export function toCallbackSummaryView(summary: CallbackSummary): object {
  const result: Static<typeof Summary> = {
    ...toStatusView(summary),
    method: toMethod(summary.method),
    url: maskQuery(summary.url),
    lastAttempt: summary.lastAttempt ? toAttemptSummaryView(summary.lastAttempt) : null,
  };
  return result;
}

function toStatusView(callback: CallbackView | CallbackSummary) {
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

export function toAcceptedView({ id, createdAt, request }: AcceptedCallback): object {
  const result: Static<typeof Accepted> = {
    id,
    application: request.application,
    queue: request.queue ?? null,
    method: toMethod(request.method),
    url: request.url,
    createdAt: createdAt.toISOString(),
  };
  return result;
}

/**
 * Returns the method that is sent. Clients of the compatible API may leave it out, which means GET.
 */
function toMethod(method: string): string {
  return method === '' ? 'GET' : method;
}
