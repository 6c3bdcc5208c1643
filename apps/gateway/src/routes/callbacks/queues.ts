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
import { pastOf } from '../../audit/audited-route.js';
import {
  applicationField,
  applicationFilter,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';

const tags = ['Queues'];
const path = '/v1/queues';
const maxQueuesPerPage = 100;

/**
 * Query that names one queue. It is not in the path, because an application may have an empty name,
 * and names may be any text, such as `..` and `a/b`, which clients and proxies would change in a
 * path.
 */
const QueueQuery = Type.Object(
  {
    application: applicationField,
    queue: Type.String({ minLength: 1, maxLength: 256, examples: ['order-4711'] }),
  },
  noUnknownKeys,
);

/** Query of a pause: the queue, and whether it must exist. */
const PauseQuery = Type.Object(
  {
    ...QueueQuery.properties,
    mustExist: Type.Optional(
      Type.Boolean({
        description:
          'True: refuse a queue that has neither callbacks nor settings, whose name may be misspelt. Default false: such a queue can be paused before its first callback.',
      }),
    ),
  },
  noUnknownKeys,
);

const states: readonly QueueState[] = ['active', 'paused', 'parked', 'blocked'];

const State = Type.Enum([...states], {
  type: 'string',
  description:
    '`parked`: its head failed for good, and no delivery starts until the queue is unblocked. `paused`: it was paused by a call. `blocked`: its head waits for a retry or for its endpoint. `active`: otherwise.',
});

const OnFailure = Type.Enum(['skip', 'park'], {
  type: 'string',
  description:
    'Effect on the queue when its head fails for good. `skip`: the next callback follows. `park`: the queue stops until it is unblocked. Default `skip`.',
});

const ListQuery = listQuery(maxQueuesPerPage, {
  application: applicationFilter,
  state: Type.Optional(State),
});

const Queue = Type.Object(
  {
    application: Type.String(),
    queue: Type.String(),
    state: State,
    paused: Type.Boolean({
      description: 'True if it was paused. A parked queue can be paused too.',
    }),
    onFailure: OnFailure,
    depth: Type.Integer({
      description: 'Number of callbacks in it, with the head; counted up to 10,000.',
    }),
    depthCapped: Type.Boolean({
      description: 'True if there are more callbacks than were counted.',
    }),
    head: nullable(
      Type.Object(
        {
          id: idSchema,
          createdAt: momentSchema,
          ageMs: Type.Number({ description: 'Milliseconds since it was accepted.' }),
          dueAt: nullable({
            ...momentSchema,
            description:
              'No attempt starts before this time; null during an attempt. After it, the head waits for a worker, or for its host, which gets fewer attempts after failures in a row.',
          }),
          failures: Type.Integer({
            description: 'Number of failed attempts that count against its retry policy.',
          }),
          hold: nullable(
            Type.String({ description: 'Cause of a hold: `paused`, `parked` or `endpoint`.' }),
          ),
        },
        { description: 'The callback that is delivered next; null if the queue is empty.' },
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
        '`retry`: the head is attempted now; if it was parked, its retry policy starts again. `skip`: the head ends, and the next callback follows.',
    }),
    headId: Type.Optional({
      ...idSchema,
      description: 'Refused if the head is another callback by now. Default: any head.',
    }),
  },
  noUnknownKeys,
);

/** Adds `/v1/queues`: list, show, pause, resume, unblock and configure queues. */
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
      config: { scope: 'queues:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listQueues',
        summary: 'List queues, by application and name',
        description: 'Lists queues that have callbacks or settings.',
        querystring: ListQuery,
        response: { 200: pageSchema(Queue) },
      },
    },
    async ({ query: { limit, cursor, state }, applications: within }) =>
      toPageView(await listQueues(db, { state, within }, { limit, cursor }), toQueueView),
  );
}

function addDetails(app: App, db: Database): void {
  app.get(
    `${path}/details`,
    {
      config: { scope: 'queues:read', application: 'named', errors: ['QUEUE_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getQueue',
        summary: 'Get a queue',
        querystring: QueueQuery,
        response: { 200: Queue },
      },
    },
    async (request) => toQueueView(await getQueue(db, toKey(request))),
  );
}

function addPauseAndResume(app: App, db: Database): void {
  const actions = [
    ['pause', pauseQueue, 'A running attempt is finished; no other attempt starts.'],
    ['resume', resumeQueue, 'A parked queue stays parked; unblock it instead.'],
  ] as const;
  for (const [name, act, description] of actions) {
    app.post(
      `${path}/${name}`,
      {
        config: {
          scope: 'queues:write',
          application: 'named',
          audit: { action: `queue.${pastOf(name)}`, target: 'queue' },
          errors: ['CALLBACK_INVALID', 'QUEUE_NOT_FOUND'],
        },
        schema: {
          tags,
          operationId: `${name}Queue`,
          summary: name === 'pause' ? 'Pause a queue' : 'Resume a queue',
          description,
          querystring: PauseQuery,
          response: {
            204: Type.Null({ description: 'Done. Also if the queue was in this state before.' }),
          },
        },
      },
      async (request, reply) => {
        await act(db, { ...toKey(request), mustExist: request.query.mustExist });
        return reply.code(204).send(null);
      },
    );
  }
}

function addUnblock(app: App, db: Database): void {
  app.post(
    `${path}/unblock`,
    {
      config: {
        scope: 'queues:write',
        application: 'named',
        audit: { action: 'queue.unblocked', target: 'queue' },
        errors: ['QUEUE_NOT_FOUND', 'QUEUE_STATE'],
        sendsAgain: true,
      },
      schema: {
        tags,
        operationId: 'unblockQueue',
        summary: 'Unblock a queue whose head blocks it',
        querystring: QueueQuery,
        body: Unblock,
        response: {
          200: Type.Object({
            headId: { ...idSchema, description: 'The callback that was retried or skipped.' },
          }),
        },
      },
    },
    async (request) => ({
      headId: await unblockQueue(db, { ...toKey(request), ...request.body }),
    }),
  );
}

function addSettings(app: App, db: Database): void {
  app.put(
    `${path}/settings`,
    {
      config: {
        scope: 'queues:write',
        application: 'named',
        audit: { action: 'queue.updated', target: 'queue' },
        errors: ['CALLBACK_INVALID'],
      },
      schema: {
        tags,
        operationId: 'setQueueSettings',
        summary: 'Set what happens when the head of a queue fails for good',
        querystring: QueueQuery,
        body: Type.Object({ onFailure: OnFailure }, noUnknownKeys),
        response: { 204: Type.Null({ description: 'Done.' }) },
      },
    },
    async (request, reply) => {
      await setQueuePolicy(db, toKey(request), request.body.onFailure);
      return reply.code(204).send(null);
    },
  );
}

interface QueueRequest {
  readonly application: string;
  readonly query: Static<typeof QueueQuery>;
}

function toKey({ application, query: { queue } }: QueueRequest): QueueKey {
  return { application, queue };
}

function toQueueView({ head, ...queue }: QueueView): Static<typeof Queue> {
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
