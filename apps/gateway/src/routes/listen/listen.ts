import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EventPreviews,
  type PreviewSource,
  type PreviewTarget,
  requestInvalid,
} from '@posthaste/callbacks';
import { type Applications, callbackEventTopic } from '@posthaste/contracts';
import type { EventQuery, PostgresLog, StoredRecord } from '@posthaste/eventstream';
import {
  type EventFollowers,
  type LogEvent,
  toLogEvent,
  type UnnamedRecordRules,
} from '@posthaste/eventstream/event-log';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { WebSocketServer } from 'ws';
import { isAuditTopic, mayReadAudit, requireAuditScope } from '../../access/audit-events.js';
import type { App } from '../../app.js';
import { toCaller } from '../../http/client-address.js';
import { applicationFilter, noUnknownKeys } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { ListenConnection } from './listen-connection.js';

/** Dependencies of the route. */
export interface ListenDeps {
  readonly log: Pick<PostgresLog, 'listTopics' | 'ensureTopic'>;
  readonly followers: Pick<EventFollowers, 'follow'>;
  readonly previews: EventPreviews;
  readonly rules: UnnamedRecordRules;
}

const path = '/v1/listen';
/** Pause between two looks for new topics, in ms. */
const topicPollMs = 1_000;
/** Largest frame of a client, which says nothing but `done`. */
const maxFrameBytes = 1_024;

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

const Query = Type.Object(
  {
    application: applicationFilter,
    endpoint: text('Id of the endpoint whose requests are sent.'),
    subscription: text('Id of the subscription whose requests are sent.'),
    topic: text('Topic whose events are sent, as envelopes.'),
    name: text('With `topic`: only events with this name, or of this pattern of names.'),
    cursor: text('The cursor of a frame: what follows it is sent. Default: the present end.'),
  },
  noUnknownKeys,
);

interface ListenRoute {
  Querystring: Static<typeof Query>;
}

type ListenRequest = FastifyRequest<ListenRoute>;

/** Adds `GET /v1/listen`, a WebSocket on which the requests that a receiver would get are sent. */
export function listenRoutes(app: App, deps: ListenDeps): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes });
  refuseNulInQuery(app);
  app.get<ListenRoute>(
    path,
    {
      exposeHeadRoute: false,
      config: {
        scope: 'callbacks:read',
        application: 'filter',
        errors: [
          'REQUEST_INVALID',
          'ENDPOINT_NOT_FOUND',
          'SUBSCRIPTION_NOT_FOUND',
          'TOPIC_NOT_FOUND',
          'OVERLOADED',
          'RATE_LIMITED',
        ],
      },
      schema: {
        tags: ['Callbacks'],
        operationId: 'listen',
        summary: 'Get what a receiver would get, over a WebSocket',
        description:
          'Opens a WebSocket on which the requests that an endpoint, one subscription or a topic would get for events are sent as they happen, with headers and body but without a signature, in the order of the event log. Nothing is taken away from the receivers. `posthaste listen` uses it. Headers that an endpoint adds to its requests are left out: they may be credentials.',
        querystring: Query,
      },
    },
    (request, reply) => listen(request, reply, { ...deps, sockets }),
  );
}

async function listen(
  request: ListenRequest,
  reply: FastifyReply,
  deps: ListenDeps & { readonly sockets: WebSocketServer },
): Promise<FastifyReply> {
  const { applications: within } = request;
  const { sockets, previews, rules, followers } = deps;
  const source = toSource(request);
  if (!request.server.upgrades.isUpgrade(request)) {
    throw requestInvalid([{ field: 'headers.upgrade', message: 'must ask for a WebSocket' }]);
  }
  const target = await previews.find(source, within);
  const query = await toQuery(request, target, deps);
  const preview = async (record: StoredRecord) => {
    const event = findEvent(record, rules);
    const { topic, partition, offset } = record;
    return (
      event && previews.preview(target, { ...event, place: `${topic}/${partition}@${offset}` })
    );
  };
  const connection = await followers.follow<ListenConnection>({
    query,
    caller: toCaller(request),
    applications: request.caller.applications,
    // Not earlier: what is refused until here gets an ordinary answer.
    open: (cursor) => upgrade(request, reply, { sockets, cursor, preview }),
    mayContinue: () => request.isStillAuthorized(),
    onError: (err) => request.log.error({ err }, 'listening ended early'),
  });
  if (source.kind !== 'topic') void endOnNewTopic(connection, request, { ...deps, query });
  return reply;
}

/** Anybody may append anything: what is no event is left out. */
function findEvent(record: StoredRecord, rules: UnnamedRecordRules): LogEvent | undefined {
  try {
    return toLogEvent(record, rules);
  } catch {
    return undefined;
  }
}

function upgrade(
  request: ListenRequest,
  reply: FastifyReply,
  {
    sockets,
    ...options
  }: { sockets: WebSocketServer; cursor: string } & Pick<
    ConstructorParameters<typeof ListenConnection>[0],
    'preview'
  >,
): ListenConnection {
  let connection: ListenConnection | undefined;
  const { socket: raw, head } = request.server.upgrades.takeOver(request, reply);
  // A faulty request is answered with 400.
  sockets.handleUpgrade(request.raw, raw as Socket, head, (socket) => {
    connection = new ListenConnection({ socket, ...options });
  });
  if (!connection) throw new Error('the upgrade request was faulty');
  return connection;
}

/** @throws PlatformError `REQUEST_INVALID` unless exactly one receiver is named */
function toSource({ query }: ListenRequest): PreviewSource {
  const { endpoint, subscription, topic, name } = query;
  const named = [endpoint, subscription, topic].filter((each) => each !== undefined);
  if (named.length !== 1) {
    const message = 'must be one of endpoint, subscription and topic';
    throw requestInvalid([{ field: 'query', message }]);
  }
  if (name !== undefined && topic === undefined) {
    throw requestInvalid([{ field: 'query.name', message: 'is only for a topic' }]);
  }
  if (endpoint !== undefined) return { kind: 'endpoint', id: endpoint };
  return subscription === undefined
    ? { kind: 'topic' }
    : { kind: 'subscription', id: subscription };
}

/** @throws PlatformError `SCOPE_MISSING`, `DATABASE_*` */
async function toQuery(
  request: ListenRequest,
  { source }: PreviewTarget,
  { log }: ListenDeps,
): Promise<EventQuery> {
  const { applications: within } = request;
  const { topic, name, cursor } = request.query;
  const start = { within, from: 'end', cursor } as const;
  if (source.kind === 'topic' && topic !== undefined) {
    if (isAuditTopic(topic)) requireAuditScope(request);
    return { ...start, topics: [topic], name };
  }
  const topics = await listTopics(request, log);
  if (topics.length > 0) return { ...start, topics };
  // A log without topics has no end to begin at.
  await log.ensureTopic(callbackEventTopic);
  return { ...start, topics: [callbackEventTopic] };
}

/** Lists the topics of which subscriptions get events: all but retries, dead letters and, without the right to read it, the audit log. */
async function listTopics(
  request: ListenRequest & { readonly applications: Applications },
  log: ListenDeps['log'],
): Promise<string[]> {
  const topics = await log.listTopics(request.applications);
  const maySeeAudit = mayReadAudit(request);
  return topics.filter(
    (topic) => !/\.dlq$|\.retry\.\d+$/.test(topic) && (maySeeAudit || !isAuditTopic(topic)),
  );
}

/**
 * Ends the connection when there is a topic that it does not follow. The client comes again, and gets
 * that topic from its beginning: all that is in it is newer than the cursor.
 */
async function endOnNewTopic(
  connection: ListenConnection,
  request: ListenRequest,
  { log, query }: ListenDeps & { readonly query: EventQuery },
): Promise<void> {
  const known = new Set(query.topics);
  const signal = connection.ended;
  while (!signal.aborted) {
    await sleep(topicPollMs, undefined, { signal }).catch(() => undefined);
    // A database that is away is tried again.
    const topics = signal.aborted ? [] : await listTopics(request, log).catch(() => []);
    if (topics.some((topic) => !known.has(topic))) connection.renew();
  }
}
