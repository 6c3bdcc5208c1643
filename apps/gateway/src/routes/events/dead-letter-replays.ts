import { PlatformError, parseId } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { type DeadLetterReplay, getReplay, listReplays } from '../../dead-letter-replay-store.js';
import type { DeadLetterReplays } from '../../dead-letter-replays.js';
import { toEventFilter } from '../../event-filter.js';
import { eventFilterFields } from '../event-filter-fields.js';
import {
  idParams,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import { pageQuery, pageSchema } from '../schemas/pages.js';

export interface DeadLetterReplayDeps {
  readonly db: Database;
  readonly replays: DeadLetterReplays;
  /** Has the first step made at once. */
  readonly wake: () => void;
}

const tags = ['Dead letters'];
const path = '/v1/events/dead-letters/replays';
const maxReplaysPerPage = 100;
const defaultRatePerSecond = 100;

const Filter = Type.Object(
  {
    ...eventFilterFields,
    group: Type.Optional(
      Type.String({ maxLength: 256, description: 'Only what this consumer group failed on.' }),
    ),
  },
  {
    ...noUnknownKeys,
    title: 'DeadLetterFilter',
    description: 'Dead letters that fit all that is given. Times are those of the dead letters.',
  },
);

const NewReplay = Type.Object(
  {
    topic: Type.String({
      pattern: '^[A-Za-z0-9._-]{1,245}$',
      description: 'The topic that the dead letters came from, and go to again.',
    }),
    filter: Type.Optional(Filter),
    ratePerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Dead letters a second at most. Default 100.',
      }),
    ),
    dryRun: Type.Optional(
      Type.Boolean({ description: 'Only count what would be replayed: `matched` less `skipped`.' }),
    ),
    again: Type.Optional(
      Type.Boolean({ description: 'Also those that were replayed before. Default false.' }),
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
    filter: Filter,
    ratePerSecond: Type.Integer(),
    dryRun: Type.Boolean(),
    again: Type.Boolean(),
    state: Type.Enum(['running', 'done', 'cancelled', 'failed'], { type: 'string' }),
    error: nullable(Type.String({ description: 'What it failed with.' })),
    matched: Type.Integer({ description: 'Dead letters that fit the filter, so far.' }),
    replayed: Type.Integer(),
    skipped: Type.Integer({
      description: 'Fit, but were replayed before, or do not say that they came from the topic.',
    }),
    readUntil: nullable({
      ...momentSchema,
      description: 'What was put there until then was looked at; null before the first that fits.',
    }),
    createdAt: momentSchema,
    updatedAt: momentSchema,
  },
  { title: 'DeadLetterReplay' },
);

/** `/v1/events/dead-letters/replays`: publish dead letters again. */
export function deadLetterReplayRoutes(app: App, deps: DeadLetterReplayDeps): void {
  addCreate(app, deps);
  addList(app, deps.db);
  addOne(app, deps);
}

function addCreate(app: App, { replays, wake }: DeadLetterReplayDeps): void {
  app.post(
    path,
    {
      config: { scope: 'events:write', errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Replay dead letters',
        description:
          'Publishes them to the topic they came from, as they were, in their order and at a limited rate: every consumer group of the topic gets them again. Only those that were there before this call are part of it, each once unless `again` asks for more; it goes on after a restart.',
        body: NewReplay,
        response: { 201: View },
      },
    },
    async ({ body }, reply) => {
      const { topic, filter = {}, ratePerSecond = defaultRatePerSecond, ...flags } = body;
      toEventFilter(filter);
      const { dryRun = false, again = false } = flags;
      const replay = await replays.create({ topic, filter, ratePerSecond, dryRun, again });
      wake();
      return reply.code(201).header('location', `${path}/${replay.id}`).send(showReplay(replay));
    },
  );
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'events:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List replays of dead letters, newest first',
        querystring: Type.Object(pageQuery(maxReplaysPerPage), noUnknownKeys),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { limit = 50, cursor } }) => {
      const replays = await listReplays(db, { before: toBefore(cursor), limit: limit + 1 });
      const items = replays.slice(0, limit);
      const last = replays.length > limit ? items.at(-1) : undefined;
      return { items: items.map(showReplay), next: last?.id ?? null };
    },
  );
}

function addOne(app: App, { db, replays }: DeadLetterReplayDeps): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'events:read', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'One replay of dead letters, with its progress',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params }) => showReplay(await getReplay(db, params.id)),
  );
  app.post(
    `${path}/:id/cancel`,
    {
      config: { scope: 'events:write', errors: ['REPLAY_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Stop a replay of dead letters',
        description: 'What it has published stays so. One that is over stays as it is.',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params }) => showReplay(await replays.cancel(params.id)),
  );
}

function toBefore(cursor: string | undefined): string | undefined {
  const id = cursor === undefined ? undefined : parseId(cursor);
  if (cursor === undefined || id !== undefined) return id;
  throw new PlatformError('REQUEST_INVALID', 'the cursor is not one that a page gave');
}

function showReplay(replay: DeadLetterReplay): Static<typeof View> {
  return {
    ...replay,
    readUntil: toMoment(replay.readUntil),
    createdAt: replay.createdAt.toISOString(),
    updatedAt: replay.updatedAt.toISOString(),
  };
}
