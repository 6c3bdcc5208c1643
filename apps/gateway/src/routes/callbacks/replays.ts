import {
  cancelReplay,
  createReplay,
  getReplay,
  listReplays,
  type Replay,
} from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import {
  idParams,
  idSchema,
  momentSchema,
  nullable,
  strict,
  toMoment,
} from '../schemas/field-schemas.js';
import { pageQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { callbackFilterFields, toFilter } from './callback-filter.js';

const tags = ['Replays'];
const path = '/v1/replays';
const maxReplaysPerPage = 500;

const Filter = Type.Object(
  {
    state: Type.Enum(['delivered', 'failed', 'cancelled'], {
      type: 'string',
      description: 'How they ended. Expired ones would only expire again.',
    }),
    ...callbackFilterFields,
  },
  { ...strict, title: 'ReplayFilter', description: 'Callbacks that fit all that is given.' },
);

const NewReplay = Type.Object(
  {
    filter: Filter,
    ratePerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Callbacks a second at most. Default 100.',
      }),
    ),
  },
  {
    ...strict,
    examples: [{ filter: { state: 'failed', host: 'example.com' }, ratePerSecond: 50 }],
  },
);

const View = Type.Object(
  {
    id: idSchema,
    filter: Filter,
    ratePerSecond: Type.Integer(),
    state: Type.Enum(['running', 'done', 'cancelled'], { type: 'string' }),
    scanned: Type.Integer({ description: 'Callbacks looked at, whether they fit or not.' }),
    replayed: Type.Integer(),
    scannedUntil: nullable({
      ...momentSchema,
      description: 'What was accepted until then was looked at; null before the first step.',
    }),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'Replay' },
);

/** `/v1/replays`: deliver many callbacks once more. Workers make the steps. */
export function replayRoutes(app: App, db: Database): void {
  addCreate(app, db);
  addList(app, db);
  addOne(app, db);
}

function addCreate(app: App, db: Database): void {
  app.post(
    path,
    {
      config: { scope: 'callbacks:write', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'Deliver many callbacks once more',
        description:
          'Oldest first, and so in the order of their queues, at a limited rate; goes on after a restart. Only those accepted before this call are part of it.',
        body: NewReplay,
        response: { 201: View },
      },
    },
    async ({ body: { filter, ratePerSecond } }, reply) => {
      const replay = await createReplay(db, { filter: toFilter(filter), ratePerSecond });
      return reply.code(201).header('location', `${path}/${replay.id}`).send(toView(replay));
    },
  );
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'callbacks:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List replays, newest first',
        querystring: Type.Object(pageQuery(maxReplaysPerPage), strict),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query }) => toPageView(await listReplays(db, query), toView),
  );
}

function addOne(app: App, db: Database): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'callbacks:read', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'One replay, with its progress',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params }) => toView(await getReplay(db, params.id)),
  );
  app.post(
    `${path}/:id/cancel`,
    {
      config: { scope: 'callbacks:write', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Stop a replay',
        description: 'What it has brought back stays so. One that is over stays as it is.',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params }) => toView(await cancelReplay(db, params.id)),
  );
}

function toView({ filter, ...replay }: Replay): Static<typeof View> {
  const { state, application, queue, endpointId, createdFrom, createdTo, host, statusCode } =
    filter;
  return {
    ...replay,
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
