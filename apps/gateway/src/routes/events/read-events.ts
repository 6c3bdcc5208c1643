import { requestInvalid } from '@posthaste/callbacks';
import { stringifyExactJson } from '@posthaste/contracts';
import type { EventQuery } from '@posthaste/eventstream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { toEventFilter } from '../../event-filter.js';
import type { EventFollowers } from '../../event-followers.js';
import type { ReadableLog } from '../../event-reader.js';
import { eventFilterFields } from '../event-filter-fields.js';
import { noUnknownKeys } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { pageQuery } from '../schemas/pages.js';
import { eventFormatField, eventPageSchema, eventViewSchema, showEvent } from './event-view.js';

export interface ReadEventsDeps {
  readonly log: ReadableLog;
  readonly followers: EventFollowers;
}

const maxTopics = 20;
const eventStream = 'text/event-stream';

const Query = Type.Object(
  {
    topic: Type.String({
      minLength: 1,
      description: `A topic, or up to ${maxTopics} with commas between.`,
      examples: ['orders'],
    }),
    ...eventFilterFields,
    from: Type.Optional(
      Type.Enum(['beginning', 'end'], {
        type: 'string',
        description:
          'Where to begin without `cursor` and `since`. Default `beginning` for a page, `end` for server-sent events.',
      }),
    ),
    format: eventFormatField,
    ...pageQuery(500),
  },
  noUnknownKeys,
);

const Headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      description:
        'Server-sent events: the id of the last one that came. Goes before `cursor`; browsers send it by themselves.',
    }),
  ),
});

interface ReadRoute {
  Querystring: Static<typeof Query>;
  Headers: Static<typeof Headers>;
}

/** `GET /v1/events`: a page of the log, or the log as it grows. */
export function readEventRoutes(app: App, { log, followers }: ReadEventsDeps): void {
  refuseNulInQuery(app);
  app.addHook('preClose', (done) => {
    followers.close();
    done();
  });
  app.get<ReadRoute>(
    '/v1/events',
    {
      // A HEAD of what never ends would have nobody to end it.
      exposeHeadRoute: false,
      config: {
        scope: 'events:read',
        errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND', 'OVERLOADED'],
      },
      schema: {
        tags: ['Events'],
        summary: 'Read events, or follow them',
        description:
          'Oldest first, those of one key in their order. A page looks at a bounded number of events: where the filter is narrow it may be short, even empty, and be followed by others. With `Accept: text/event-stream` events come as they happen, as server-sent events: `data` is an event as in `items`, `id` where to go on after it. A line comes every 15 seconds when there is nothing to tell. The server ends it when it stops, when the API key is not valid any more, and when a client takes nothing for 30 seconds.',
        headers: Headers,
        querystring: Query,
        response: {
          200: {
            content: {
              'application/json': { schema: eventPageSchema(eventViewSchema) },
              [eventStream]: { schema: Type.String() },
            },
          },
        },
      },
    },
    (request, reply) =>
      (request.headers.accept ?? '').includes(eventStream)
        ? follow(followers, request, reply)
        : list(log, request, reply),
  );
}

type ReadRequest = FastifyRequest<ReadRoute>;

async function list(log: ReadableLog, { query }: ReadRequest, reply: FastifyReply) {
  const { limit = 50, format = 'envelope' } = query;
  const page = await log.listEvents({ ...toQuery(query), limit });
  reply.header('content-type', 'application/json; charset=utf-8').serializer(stringifyExactJson);
  const { next, isLast } = page;
  return { items: page.records.map((record) => showEvent(record, format)), next, isLast };
}

async function follow(followers: EventFollowers, request: ReadRequest, reply: FastifyReply) {
  const { query, headers, log } = request;
  const { format = 'envelope', from = query.since === undefined ? 'end' : 'beginning' } = query;
  if (query.until !== undefined) {
    throw requestInvalid([{ field: 'query.until', message: 'is for pages: this has no end' }]);
  }
  // Browsers send an empty one where none came yet.
  const cursor = headers['last-event-id'] || query.cursor;
  const stream = await followers.follow({
    query: { ...toQuery(query), from, cursor },
    show: (record) => stringifyExactJson(showEvent(record, format)),
    mayGoOn: () => request.isStillAuthorized(),
    onError: (err) => log.error({ err }, 'following events ended early'),
  });
  // Proxies that hold answers back until they are complete would hold this for ever.
  reply.header('content-type', `${eventStream}; charset=utf-8`).header('x-accel-buffering', 'no');
  return reply.send(stream);
}

function toQuery({ topic, from, cursor, ...filter }: Static<typeof Query>): EventQuery {
  const topics = topic.split(',').filter((name) => name !== '');
  if (topics.length >= 1 && topics.length <= maxTopics) {
    return { topics, from, cursor, ...toEventFilter(filter) };
  }
  throw requestInvalid([{ field: 'query.topic', message: `must name 1 to ${maxTopics} topics` }]);
}
