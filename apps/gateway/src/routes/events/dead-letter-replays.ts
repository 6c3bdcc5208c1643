import { PlatformError, parseId } from '@posthaste/contracts';
import type { DeadLetterReplay, DeadLetterReplays } from '@posthaste/eventstream/event-log';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import {
  applicationField,
  applicationFilter,
  idParams,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema } from '../schemas/pages.js';
import { eventFilterFields } from './event-schemas.js';

/** Dependencies of the routes of replays. */
export interface DeadLetterReplayRoutesDeps {
  readonly replays: Pick<DeadLetterReplays, 'create' | 'get' | 'list' | 'cancel'>;
  /** Application of requests that name none, of callers for all applications. */
  readonly defaultApplication: string;
  /** Called after a replay was created: starts its first step. */
  readonly onCreated: () => void;
}

const tags = ['Dead letters'];
const path = '/v1/events/dead-letters/replays';
const maxReplaysPerPage = 100;

const Filter = Type.Object(
  {
    ...eventFilterFields,
    group: Type.Optional(
      Type.String({
        maxLength: 256,
        description: 'Only dead letters that this consumer group failed on.',
      }),
    ),
  },
  {
    ...noUnknownKeys,
    title: 'DeadLetterFilter',
    description:
      'Dead letters that match all given fields. Times are those when they became dead letters.',
  },
);

const NewReplay = Type.Object(
  {
    topic: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,245}$',
      description: 'The topic that the dead letters came from, and go back to.',
    }),
    application: applicationField,
    filter: Type.Optional(Filter),
    ratePerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Dead letters per second at most. Default 100.',
      }),
    ),
    dryRun: Type.Optional(
      Type.Boolean({
        description:
          'True: only count what would be replayed, which is `matched` less `skipped`. Default false.',
      }),
    ),
    again: Type.Optional(
      Type.Boolean({
        description: 'True: also replay dead letters that were replayed before. Default false.',
      }),
    ),
  },
  {
    ...noUnknownKeys,
    examples: [{ topic: 'orders', filter: { group: 'mail' }, ratePerSecond: 50 }],
  },
);

const View = Type.Object(
  {
    id: idSchema,
    topic: Type.String(),
    application: nullable(
      Type.String({
        description:
          'The application whose dead letters are replayed. Null, in replays of version 0.2 and before: all.',
      }),
    ),
    filter: Filter,
    ratePerSecond: Type.Integer(),
    dryRun: Type.Boolean(),
    again: Type.Boolean(),
    state: Type.Enum(['running', 'done', 'cancelled', 'failed'], { type: 'string' }),
    error: nullable(Type.String({ description: 'The error, in the state `failed`.' })),
    matched: Type.Integer({ description: 'Dead letters so far that match the filter.' }),
    replayed: Type.Integer(),
    skipped: Type.Integer({
      description:
        'Matching dead letters that were replayed before, or that do not name the topic they came from.',
    }),
    readUntil: nullable({
      ...momentSchema,
      description:
        'The time up to which dead letters have been read; null before the first that matches.',
    }),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'DeadLetterReplay' },
);

/** Adds `/v1/events/dead-letters/replays`: publishes dead letters again. */
export function deadLetterReplayRoutes(app: App, deps: DeadLetterReplayRoutesDeps): void {
  addCreate(app, deps);
  addList(app, deps);
  addOne(app, deps);
}

function addCreate(
  app: App,
  { replays, defaultApplication, onCreated }: DeadLetterReplayRoutesDeps,
): void {
  app.post(
    path,
    {
      config: {
        scope: 'events:write',
        application: 'named',
        audit: { action: 'dead-letter-replay.created', target: 'dead-letter-replay' },
        errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND', 'REPLAY_LIMIT_REACHED'],
        sendsAgain: true,
      },
      schema: {
        tags,
        operationId: 'createDeadLetterReplay',
        summary: 'Replay dead letters',
        description:
          'Publishes dead letters to the topic they came from, as they were, in their order and at a limited rate: every consumer group of the topic gets them again. Only those that exist at the time of this call are part of the replay, each once unless `again` is true. A replay is of one application; of a key for all, and for the default application, it includes dead letters that name none. A replay continues after a restart. Running replays take turns, and an application may have POSTHASTE_MAX_REPLAYS of them.',
        body: NewReplay,
        response: { 201: View },
      },
    },
    async ({ application, caller, body }, reply) => {
      // Records without an application go with the default one, as they do to its endpoints.
      const withUnnamed = caller.applications === 'all' && application === defaultApplication;
      const replay = await replays.create({ ...body, application, withUnnamed });
      onCreated();
      return reply.code(201).header('location', `${path}/${replay.id}`).send(toReplayView(replay));
    },
  );
}

function addList(app: App, { replays }: DeadLetterReplayRoutesDeps): void {
  app.get(
    path,
    {
      config: { scope: 'events:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listDeadLetterReplays',
        summary: 'List replays of dead letters, newest first',
        querystring: listQuery(maxReplaysPerPage, { application: applicationFilter }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ applications: within, query: { limit = 50, cursor } }) => {
      const before = parseCursor(cursor);
      const found = await replays.list({ within, before, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      return { items: items.map(toReplayView), next: last?.id ?? null };
    },
  );
}

function addOne(app: App, { replays }: DeadLetterReplayRoutesDeps): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'events:read', application: 'owner', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getDeadLetterReplay',
        summary: 'One replay of dead letters, with its progress',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ applications: within, params: { id } }) =>
      toReplayView(await replays.get({ id, within })),
  );
  app.post(
    `${path}/:id/cancel`,
    {
      config: {
        scope: 'events:write',
        application: 'owner',
        audit: { action: 'dead-letter-replay.cancelled', target: 'dead-letter-replay' },
        errors: ['REPLAY_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'cancelDeadLetterReplay',
        summary: 'Stop a replay of dead letters',
        description:
          'What the replay has published stays published. A replay that has ended stays as it is.',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ applications: within, params: { id } }) =>
      toReplayView(await replays.cancel({ id, within })),
  );
}

function parseCursor(cursor: string | undefined): string | undefined {
  const id = cursor === undefined ? undefined : parseId(cursor);
  if (cursor === undefined || id !== undefined) return id;
  throw new PlatformError('REQUEST_INVALID', 'the cursor is not one that a page gave');
}

function toReplayView(replay: DeadLetterReplay): Static<typeof View> {
  return {
    ...replay,
    readUntil: toMoment(replay.readUntil),
    createdAt: replay.createdAt.toISOString(),
    updatedAt: replay.updatedAt.toISOString(),
  };
}
