import {
  type Acceptance,
  type CallbackState,
  cancelCallback,
  findCallback,
  listCallbacks,
  replayCallback,
  retryNow,
} from '@posthaste/callbacks';
import { type Applications, PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { pastOf } from '../../audit/audited-route.js';
import { hopsOf } from '../../http/hops.js';
import { addExactBodyParser } from '../schemas/exact-body.js';
import { idParams } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed } from '../schemas/idempotency.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { callbackFilterFields, toCallbackFilter } from './callback-filter.js';
import {
  acceptedSchema,
  callbackSchema,
  callbackStates,
  callbackSummarySchema,
  toAcceptedView,
  toCallbackSummaryView,
  toCallbackView,
} from './callback-view.js';
import { isRecipientTrusted } from './mail-recipients.js';
import { newCallbackSchema, parseNewCallback, toCallbackInput } from './new-callback.js';
import type { PolicyResolver } from './retry-choice.js';

export interface CallbackRoutesDeps {
  readonly db: Database;
  readonly acceptance: Acceptance;
  readonly policies: PolicyResolver;
}

const tags = ['Callbacks'];
const path = '/v1/callbacks';

const ListQuery = listQuery(500, {
  state: Type.Optional(Type.Enum<CallbackState[]>([...callbackStates], { type: 'string' })),
  ...callbackFilterFields,
});

/** Adds `/v1/callbacks`: create, list, get, cancel, retry and replay callbacks. */
export function callbackRoutes(app: App, deps: CallbackRoutesDeps): void {
  addExactBodyParser(app, { parse: parseNewCallback });
  addCreate(app, deps);
  addList(app, deps.db);
  addGet(app, deps.db);
  addActions(app, deps.db);
}

function addCreate(app: App, { acceptance, policies }: CallbackRoutesDeps): void {
  app.post(
    path,
    {
      config: {
        scope: 'callbacks:write',
        application: 'named',
        audit: 'none',
        counts: 'deliveries',
        errors: [
          'CALLBACK_INVALID',
          'REQUEST_INVALID',
          'IDEMPOTENCY_KEY_REUSED',
          'POLICY_NOT_FOUND',
          'SECRET_NOT_FOUND',
        ],
      },
      schema: {
        tags,
        operationId: 'createCallback',
        summary: 'Create a callback',
        description:
          'Answered after the callback is committed. From then on its delivery is guaranteed. The headers `traceparent` and `tracestate` of this request are sent to the receiver too, so that the trace continues there.',
        headers: idempotencyHeaders('application'),
        body: newCallbackSchema,
        response: { 201: acceptedSchema },
      },
    },
    async (request, reply) => {
      const { body, idempotency, trace, application } = request;
      const input = await toCallbackInput(body, {
        application,
        policies,
        trace,
        hops: hopsOf(request),
        isRecipientTrusted: isRecipientTrusted(request.caller),
      });
      const accepted = await acceptance.accept(input, idempotency);
      if (accepted.repeated) markReplayed(reply);
      reply.code(201).header('location', `${path}/${accepted.id}`);
      return toAcceptedView(accepted);
    },
  );
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'callbacks:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listCallbacks',
        summary: 'List callbacks, newest first',
        description:
          'Lists the callbacks that match all filters. Each page scans a limited number of callbacks. So with a filter that has no index, a page may be short or empty while more pages follow.',
        querystring: ListQuery,
        response: { 200: pageSchema(callbackSummarySchema) },
      },
    },
    async ({ query, caller }) => {
      const { limit, cursor, ...fields } = query;
      // Not the applications of the request: a caller for all has better indexes for one of them.
      const filter = { ...toCallbackFilter(fields), within: caller.applications };
      const page = await listCallbacks(db, filter, { limit, cursor });
      return toPageView(page, toCallbackSummaryView);
    },
  );
}

function addGet(app: App, db: Database): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'callbacks:read', application: 'owner', errors: ['CALLBACK_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getCallback',
        summary: 'Get a callback with all its attempts',
        params: idParams,
        response: { 200: callbackSchema },
      },
    },
    ({ params, applications }) => getCallback(db, params.id, applications),
  );
}

interface CallbackAction {
  readonly name: string;
  readonly act: (db: Database, id: string, within: Applications) => Promise<unknown>;
  readonly operationId: string;
  readonly sendsAgain?: true;
  readonly summary: string;
  readonly description: string;
}

const actions: readonly CallbackAction[] = [
  {
    name: 'cancel',
    act: cancelCallback,
    operationId: 'cancelCallback',
    summary: 'Cancel a callback',
    description:
      'A callback that waits is never sent. A running attempt cannot be stopped: if it succeeds the callback is delivered, otherwise it is cancelled.',
  },
  {
    name: 'retry',
    act: retryNow,
    operationId: 'retryCallback',
    sendsAgain: true,
    summary: 'Attempt a callback now instead of when it is due',
    description: 'For a callback that waits for its next attempt.',
  },
  {
    name: 'replay',
    act: replayCallback,
    operationId: 'replayCallback',
    sendsAgain: true,
    summary: 'Deliver a callback once more',
    description:
      'For a callback that has ended. It keeps its id, goes to the end of its queue, and its retry policy starts again.',
  },
];

function addActions(app: App, db: Database): void {
  for (const { name, act, sendsAgain, ...described } of actions) {
    app.post(
      `${path}/:id/${name}`,
      {
        config: {
          scope: 'callbacks:write',
          application: 'owner',
          audit: { action: `callback.${pastOf(name)}`, target: 'callback' },
          errors: ['CALLBACK_NOT_FOUND', 'CALLBACK_STATE'],
          ...(sendsAgain && { sendsAgain, counts: 'deliveries' }),
        },
        schema: { tags, ...described, params: idParams, response: { 200: callbackSchema } },
      },
      async ({ params, applications }) => {
        await act(db, params.id, applications);
        return getCallback(db, params.id, applications);
      },
    );
  }
}

async function getCallback(db: Database, id: string, within: Applications): Promise<object> {
  const view = await findCallback(db, id, within);
  if (view) return toCallbackView(view);
  throw new PlatformError('CALLBACK_NOT_FOUND', `there is no callback with the id '${id}'`);
}
