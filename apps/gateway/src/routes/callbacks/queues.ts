import {
  getQueue,
  listQueues,
  pauseQueue,
  type QueueKey,
  type QueueState,
  type QueueView,
  resumeQueue,
  setQueuePolicy,
  unblockQueue,
} from '@posthaste/callbacks';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import {
  applicationField,
  idSchema,
  momentSchema,
  nullable,
  strict,
  toMoment,
} from '../schemas/field-schemas.js';
import { pageQuery, pageSchema, toPageView } from '../schemas/pages.js';

const tags = ['Queues'];
const path = '/v1/queues';
const maxQueuesPerPage = 100;

/**
 * One queue is named in the query, not in the path: an application may have no name, and names may
 * be anything, `..` and `a/b` too, which clients and proxies would change in a path.
 */
const QueueQuery = Type.Object(
  {
    application: applicationField,
    queue: Type.String({ minLength: 1, maxLength: 256, examples: ['order-4711'] }),
  },
  strict,
);

const states: readonly QueueState[] = ['active', 'paused', 'parked', 'blocked'];

const State = Type.Enum([...states], {
  type: 'string',
  description:
    '`parked`: its head failed for good, and nothing moves until it is unblocked. `paused`: somebody paused it. `blocked`: its head waits for a retry or for its endpoint. `active`: anything else.',
});

const OnFailure = Type.Enum(['skip', 'park'], {
  type: 'string',
  description:
    'When its head fails for good: `skip` goes on with the next one, `park` stops the queue until it is unblocked. Default `skip`.',
});

const ListQuery = Type.Object(
  {
    application: applicationField,
    state: Type.Optional(State),
    ...pageQuery(maxQueuesPerPage),
  },
  strict,
);

const Queue = Type.Object(
  {
    application: Type.String(),
    queue: Type.String(),
    state: State,
    paused: Type.Boolean({ description: 'True also of a parked queue that was paused besides.' }),
    onFailure: OnFailure,
    depth: Type.Integer({ description: 'Callbacks in it, the head included; counted to 10,000.' }),
    depthCapped: Type.Boolean({ description: 'Whether there are more than were counted.' }),
    head: nullable(
      Type.Object(
        {
          id: idSchema,
          createdAt: momentSchema,
          ageMs: Type.Number({ description: 'Since it was accepted.' }),
          dueAt: nullable({
            ...momentSchema,
            description:
              'No attempt starts before; null during one. Once it is past, it waits for a worker, or for its host, which is tried less often after failures in a row.',
          }),
          failures: Type.Integer({ description: 'Failed attempts that count against its policy.' }),
          hold: nullable(Type.String({ description: '`paused`, `parked` or `endpoint`.' })),
        },
        { description: 'What is delivered next; null when the queue is empty.' },
      ),
    ),
  },
  { title: 'Queue' },
);

const Unblock = Type.Object(
  {
    mode: Type.Enum(['retry', 'skip'], {
      type: 'string',
      description:
        '`retry`: the head is attempted now; a parked one starts its policy afresh. `skip`: the head ends, and the next one follows.',
    }),
    headId: Type.Optional({
      ...idSchema,
      description: 'Refused when the head is another callback by now. Not given: whichever it is.',
    }),
  },
  strict,
);

/** `/v1/queues`: what waits where, and what to do about it. */
export function queueRoutes(app: App, db: Database): void {
  addList(app, db);
  addDetails(app, db);
  addPauseAndResume(app, db);
  addUnblock(app, db);
  addSettings(app, db);
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'queues:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List queues, by application and name',
        description: 'Those in which something is, and those that have settings.',
        querystring: ListQuery,
        response: { 200: pageSchema(Queue) },
      },
    },
    async ({ query: { limit, cursor, ...filter } }) =>
      toPageView(await listQueues(db, filter, { limit, cursor }), toView),
  );
}

function addDetails(app: App, db: Database): void {
  app.get(
    `${path}/details`,
    {
      config: { scope: 'queues:read', errors: ['QUEUE_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'One queue',
        querystring: QueueQuery,
        response: { 200: Queue },
      },
    },
    async ({ query }) => toView(await getQueue(db, toKey(query))),
  );
}

function addPauseAndResume(app: App, db: Database): void {
  const actions = [
    ['pause', pauseQueue, 'What is under way is finished, nothing else starts.'],
    ['resume', resumeQueue, 'A parked queue stays parked: unblock it.'],
  ] as const;
  for (const [name, act, description] of actions) {
    app.post(
      `${path}/${name}`,
      {
        config: { scope: 'queues:write', errors: ['CALLBACK_INVALID'] },
        schema: {
          tags,
          summary: name === 'pause' ? 'Pause a queue' : 'Resume a queue',
          description,
          querystring: QueueQuery,
          response: { 204: Type.Null({ description: 'Done, or so before.' }) },
        },
      },
      async ({ query }, reply) => {
        await act(db, toKey(query));
        return reply.code(204).send(null);
      },
    );
  }
}

function addUnblock(app: App, db: Database): void {
  app.post(
    `${path}/unblock`,
    {
      config: { scope: 'queues:write', errors: ['QUEUE_NOT_FOUND', 'QUEUE_STATE'] },
      schema: {
        tags,
        summary: 'Set a queue going whose head blocks it',
        querystring: QueueQuery,
        body: Unblock,
        response: {
          200: Type.Object({
            headId: { ...idSchema, description: 'The callback that was retried or skipped.' },
          }),
        },
      },
    },
    async ({ query, body }) => ({ headId: await unblockQueue(db, { ...toKey(query), ...body }) }),
  );
}

function addSettings(app: App, db: Database): void {
  app.put(
    `${path}/settings`,
    {
      config: { scope: 'queues:write', errors: ['CALLBACK_INVALID'] },
      schema: {
        tags,
        summary: 'Say what happens when the head of a queue fails for good',
        querystring: QueueQuery,
        body: Type.Object({ onFailure: OnFailure }, strict),
        response: { 204: Type.Null({ description: 'Done.' }) },
      },
    },
    async ({ query, body }, reply) => {
      await setQueuePolicy(db, toKey(query), body.onFailure);
      return reply.code(204).send(null);
    },
  );
}

function toKey({ application = '', queue }: Static<typeof QueueQuery>): QueueKey {
  return { application, queue };
}

function toView({ head, ...queue }: QueueView): Static<typeof Queue> {
  return {
    ...queue,
    head: head
      ? {
          ...head,
          createdAt: head.createdAt.toISOString(),
          dueAt: toMoment(head.dueAt),
          hold: head.hold ?? null,
        }
      : null,
  };
}
