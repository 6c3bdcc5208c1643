import { requestInvalid } from '@posthaste/callbacks';
import { stringifyExactJson } from '@posthaste/contracts';
import type { EventQuery, FollowedLog, StoredRecord } from '@posthaste/eventstream';
import { type EventFollowers, parseEventFilter } from '@posthaste/eventstream/event-log';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { isAuditTopic, requireAuditScope } from '../../access/audit-events.js';
import type { App } from '../../app.js';
import { toCaller } from '../../http/client-address.js';
import { applicationFilter, noUnknownKeys } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { pageQuery } from '../schemas/pages.js';
import { eventFilterFields } from './event-schemas.js';
import { eventFormatField, eventPageSchema, eventViewSchema, toEventView } from './event-view.js';
import { FollowerStream, type FollowerStreamOptions } from './follower-stream.js';

/** Dependencies of the routes that read events. */
export interface ReadEventsDeps {
  readonly log: FollowedLog;
  readonly followers: Pick<EventFollowers, 'follow' | 'close'>;
  readonly streams: FollowerStreamOptions;
}

const maxTopics = 20;
const eventStream = 'text/event-stream';

const Query = Type.Object(
  {
    topic: Type.String({
      minLength: 1,
      description: `A topic, or up to ${maxTopics} separated by commas. The topic \`audit\` needs the scope \`audit:read\` too.`,
      examples: ['orders'],
    }),
    application: applicationFilter,
    ...eventFilterFields,
    from: Type.Optional(
      Type.Enum(['beginning', 'end'], {
        type: 'string',
        description:
          'The start without `cursor` and `since`. Default `beginning` for a page, `end` for server-sent events.',
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
        'Server-sent events: the id of the last event received. Takes precedence over `cursor`. Browsers send it by themselves.',
    }),
  ),
});

interface ReadRoute {
  Querystring: Static<typeof Query>;
  Headers: Static<typeof Headers>;
}

/** Adds `GET /v1/events`: a page of the log, or the log as it grows. */
export function readEventRoutes(app: App, deps: ReadEventsDeps): void {
  refuseNulInQuery(app);
  app.addHook('preClose', async () => deps.followers.close());
  app.get<ReadRoute>(
    '/v1/events',
    {
      // A HEAD request to a stream that never ends would never end.
      exposeHeadRoute: false,
      config: {
        scope: 'events:read',
        application: 'filter',
        errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND', 'OVERLOADED', 'RATE_LIMITED'],
      },
      schema: {
        tags: ['Events'],
        operationId: 'readEvents',
        summary: 'Read events, or follow them',
        description:
          'Oldest first; events of one key in their order. A page reads a bounded number of events: with a narrow filter it may be short, even empty, and be followed by others. With `Accept: text/event-stream` events come as they happen, as server-sent events: `data` is an event as in `items`, `id` the cursor after it. Without events a line comes every 15 seconds. The server ends the stream when it stops, when the API key is no longer valid, and when a client reads nothing for 30 seconds.',
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
        ? follow(deps, request, reply)
        : list(deps.log, request, reply),
  );
}

type ReadRequest = FastifyRequest<ReadRoute>;

async function list(log: FollowedLog, request: ReadRequest, reply: FastifyReply) {
  const { query } = request;
  const { limit = 50, format = 'envelope' } = query;
  const page = await log.listEvents({ ...toQuery(request), limit });
  reply.header('content-type', 'application/json; charset=utf-8').serializer(stringifyExactJson);
  const { next, isLast } = page;
  return { items: page.records.map((record) => toEventView(record, format)), next, isLast };
}

async function follow(
  { followers, streams }: ReadEventsDeps,
  request: ReadRequest,
  reply: FastifyReply,
) {
  const { query, headers, log } = request;
  const { format = 'envelope', from = query.since === undefined ? 'end' : 'beginning' } = query;
  if (query.until !== undefined) {
    throw requestInvalid([
      { field: 'query.until', message: 'is only for pages: server-sent events have no end' },
    ]);
  }
  // Browsers send an empty `Last-Event-ID` before the first event.
  const cursor = headers['last-event-id'] || query.cursor;
  const toText = (record: StoredRecord): string => stringifyExactJson(toEventView(record, format));
  const stream = await followers.follow({
    query: { ...toQuery(request), from, cursor },
    caller: toCaller(request),
    applications: request.caller.applications,
    open: (start) => new FollowerStream({ ...streams, cursor: start, toText }),
    mayContinue: () => request.isStillAuthorized(),
    onError: (err) => log.error({ err }, 'following events ended early'),
  });
  // Proxies that buffer complete answers would never pass this one on.
  reply.header('content-type', `${eventStream}; charset=utf-8`).header('x-accel-buffering', 'no');
  return reply.send(stream);
}

/** @throws PlatformError `REQUEST_INVALID`, `SCOPE_MISSING` */
function toQuery(request: ReadRequest): EventQuery {
  const { query, applications: within } = request;
  const { topic, from, cursor, ...filter } = query;
  const topics = topic.split(',').filter((name) => name !== '');
  if (topics.some(isAuditTopic)) requireAuditScope(request);
  if (topics.length >= 1 && topics.length <= maxTopics) {
    return { within, topics, from, cursor, ...parseEventFilter(filter) };
  }
  throw requestInvalid([{ field: 'query.topic', message: `must name 1 to ${maxTopics} topics` }]);
}
