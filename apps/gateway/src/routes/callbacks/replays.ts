import {
  cancelReplay,
  createReplay,
  getReplay,
  listReplays,
  type Replay,
} from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import { applicationOrAll } from '../../access/application-or-all.js';
import type { App } from '../../app.js';
import {
  applicationFilter,
  idParams,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { callbackFilterFields, toCallbackFilter } from './callback-filter.js';

const tags = ['Replays'];
const path = '/v1/replays';
const maxReplaysPerPage = 500;

const Filter = Type.Object(
  {
    state: Type.Enum(['delivered', 'failed', 'cancelled'], {
      type: 'string',
      description:
        'How the callbacks ended. Expired ones cannot be replayed: they would expire again.',
    }),
    ...callbackFilterFields,
  },
  { ...noUnknownKeys, title: 'ReplayFilter', description: 'Callbacks that match all filters.' },
);

const NewReplay = Type.Object(
  {
    filter: Filter,
    ratePerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Most callbacks per second. Default 100.',
      }),
    ),
  },
  {
    ...noUnknownKeys,
    examples: [{ filter: { state: 'failed', host: 'example.com' }, ratePerSecond: 50 }],
  },
);

const View = Type.Object(
  {
    id: idSchema,
    application: nullable(
      Type.String({
        description:
          'Application whose callbacks are replayed. Null: those of all; only callers for all see it.',
      }),
    ),
    filter: Filter,
    ratePerSecond: Type.Integer(),
    state: Type.Enum(['running', 'done', 'cancelled'], { type: 'string' }),
    scanned: Type.Integer({
      description: 'Number of callbacks that were scanned, matching or not.',
    }),
    replayed: Type.Integer({ description: 'Number of callbacks that were replayed.' }),
    scannedUntil: nullable({
      ...momentSchema,
      description: 'Callbacks accepted up to this time were scanned; null before the first step.',
    }),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'Replay' },
);

export interface ReplayRoutesDeps {
  readonly db: Database;
  /** Most running replays of an application. */
  readonly maxRunning: number;
}

/** Adds `/v1/replays`: deliver many callbacks once more. Workers run the replays, step by step. */
export function replayRoutes(app: App, { db, maxRunning }: ReplayRoutesDeps): void {
  addCreate(app, { db, maxRunning });
  addList(app, db);
  addOne(app, db);
}

function addCreate(app: App, { db, maxRunning }: ReplayRoutesDeps): void {
  app.post(
    path,
    {
      config: {
        scope: 'callbacks:write',
        application: 'items',
        audit: { action: 'replay.created', target: 'replay' },
        counts: 'deliveries',
        errors: ['REQUEST_INVALID', 'REPLAY_LIMIT_REACHED'],
        sendsAgain: true,
      },
      schema: {
        tags,
        operationId: 'createReplay',
        summary: 'Deliver many callbacks once more',
        description:
          'Replays callbacks that were accepted before this call: oldest first, so in the order of their queues, and at a limited rate. A replay continues after a restart. Running replays take turns, and an application may have POSTHASTE_MAX_REPLAYS of them. A delivery of the platform itself may not create one. Without `application` in its filter, it is about the application of the API key, or for a caller for all applications about all.',
        body: NewReplay,
        response: { 201: View },
      },
    },
    async (request, reply) => {
      const { filter, ratePerSecond } = request.body;
      const application = applicationOrAll(request, filter.application);
      const replay = await createReplay(db, {
        filter: { ...toCallbackFilter(filter), application },
        within: request.caller.applications,
        ratePerSecond,
        maxRunning,
      });
      return reply.code(201).header('location', `${path}/${replay.id}`).send(toReplayView(replay));
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
        operationId: 'listReplays',
        summary: 'List replays, newest first',
        querystring: listQuery(maxReplaysPerPage, { application: applicationFilter }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { limit, cursor }, applications: within }) =>
      toPageView(await listReplays(db, { within }, { limit, cursor }), toReplayView),
  );
}

function addOne(app: App, db: Database): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'callbacks:read', application: 'owner', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getReplay',
        summary: 'Get a replay with its progress',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params, applications }) => toReplayView(await getReplay(db, params.id, applications)),
  );
  app.post(
    `${path}/:id/cancel`,
    {
      config: {
        scope: 'callbacks:write',
        application: 'owner',
        audit: { action: 'replay.cancelled', target: 'replay' },
        errors: ['REPLAY_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'cancelReplay',
        summary: 'Stop a replay',
        description:
          'Callbacks that it has replayed stay replayed. A replay that has ended does not change.',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params, applications }) =>
      toReplayView(await cancelReplay(db, params.id, applications)),
  );
}

function toReplayView({ filter, application, ...replay }: Replay): Static<typeof View> {
  const { state, queue, endpointId, createdFrom, createdTo, host, statusCode } = filter;
  return {
    ...replay,
    application: application ?? null,
    filter: {
      state,
      ...(application === undefined ? {} : { application }),
      ...(queue === undefined ? {} : { queue }),
      ...(endpointId === undefined ? {} : { endpointId }),
      ...(createdFrom === undefined ? {} : { createdFrom: createdFrom.toISOString() }),
      ...(createdTo === undefined ? {} : { createdTo: createdTo.toISOString() }),
      ...(host === undefined ? {} : { host }),
      ...(statusCode === undefined ? {} : { statusCode }),
    },
    scannedUntil: toMoment(replay.scannedUntil),
    createdAt: replay.createdAt.toISOString(),
    updatedAt: replay.updatedAt.toISOString(),
  };
}
