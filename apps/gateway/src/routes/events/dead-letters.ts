import { requestInvalid } from '@posthaste/callbacks';
import { stringifyExactJson } from '@posthaste/contracts';
import {
  type DeadLetter,
  type DeadLetterSource,
  listDeadLetters,
  listDeadLetterTopics,
} from '@posthaste/eventstream/event-log';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { isAuditTopic, mayReadAudit, requireAuditScope } from '../../access/audit-events.js';
import type { App } from '../../app.js';
import {
  applicationFilter,
  momentSchema,
  noUnknownKeys,
  nullable,
  toMoment,
} from '../schemas/field-schemas.js';
import { pageQuery } from '../schemas/pages.js';
import { requireTopic } from './event-groups.js';
import { eventFilterFields } from './event-schemas.js';
import {
  type EventFormat,
  type EventView,
  eventFormatField,
  eventPageSchema,
  eventViewFields,
  toEventView,
} from './event-view.js';

/** Topics whose positions fit into the cursor of a page. */
const maxTopics = 100;

const Query = Type.Object(
  {
    topic: Type.Optional(
      Type.String({
        description: 'The topic that the dead letters came from. Default: all topics.',
        examples: ['orders'],
      }),
    ),
    application: applicationFilter,
    ...eventFilterFields,
    group: Type.Optional(
      Type.String({
        maxLength: 256,
        description: 'Only dead letters of this consumer group, which failed on them.',
      }),
    ),
    format: eventFormatField,
    ...pageQuery(500),
  },
  noUnknownKeys,
);

const Failure = Type.Object(
  {
    topic: nullable(Type.String({ description: 'The topic that the event came from.' })),
    partition: nullable(Type.Integer()),
    offset: nullable(Type.Integer()),
    appendedAt: nullable(momentSchema),
    group: nullable(Type.String({ description: 'The consumer group that failed on it.' })),
    error: nullable(Type.String({ description: 'The error of the last attempt.' })),
    attempts: nullable(
      Type.Integer({ description: 'Number of attempts; 0 if the event could not be read.' }),
    ),
    subscription: nullable(
      Type.String({ description: 'The event name that the consumer asked for; empty for all.' }),
    ),
  },
  { description: 'The failure that the dead letter describes; null where it says nothing.' },
);

const View = Type.Object(
  {
    ...eventViewFields,
    failure: Failure,
    replayedAt: nullable({ ...momentSchema, description: 'The time of the last replay.' }),
  },
  { title: 'DeadLetter', description: 'An event that a consumer could not handle.' },
);

interface LetterView extends EventView {
  readonly failure: Static<typeof Failure>;
  readonly replayedAt: string | null;
}

interface LetterPage {
  readonly items: readonly LetterView[];
  readonly next: string | null;
  readonly isLast: boolean;
}

/** Adds `GET /v1/events/dead-letters`: the events that consumers could not handle. */
export function deadLetterRoutes(app: App, source: DeadLetterSource): void {
  app.get(
    '/v1/events/dead-letters',
    {
      config: {
        scope: 'events:read',
        application: 'filter',
        errors: ['REQUEST_INVALID', 'TOPIC_NOT_FOUND'],
      },
      schema: {
        tags: ['Dead letters'],
        operationId: 'listDeadLetters',
        summary: 'List dead letters, oldest first',
        description:
          'Events that consumers could not handle, from the topics `<topic>.dlq`. They stay there after a replay, until the retention of events removes them. A page may be short, even empty, and be followed by others. Those of the topic `audit` are for callers with the scope audit:read.',
        querystring: Query,
        response: { 200: eventPageSchema(View) },
      },
    },
    async (request, reply) => {
      const page = await listLetters(source, request);
      reply.header('content-type', 'application/json; charset=utf-8');
      // Set only now: an error must not be written by it.
      reply.serializer(stringifyExactJson);
      return page;
    },
  );
}

async function listLetters(
  source: DeadLetterSource,
  request: FastifyRequest<{ Querystring: Static<typeof Query> }>,
): Promise<LetterPage> {
  const { applications: within } = request;
  const { topic, application: _, format = 'envelope', limit = 50, ...query } = request.query;
  if (topic !== undefined && isAuditTopic(topic)) requireAuditScope(request);
  const found = await listDeadLetterTopics(source.log, within, topic);
  const topics = mayReadAudit(request) ? found : found.filter((name) => !isAuditTopic(name));
  if (topics.length === 0) {
    if (topic !== undefined) await requireTopic(source.log, within, topic);
    return { items: [], next: null, isLast: true };
  }
  if (topics.length > maxTopics) {
    const message = `is needed: more than ${maxTopics} topics have dead letters`;
    throw requestInvalid([{ field: 'query.topic', message }]);
  }
  const { letters, next, isLast } = await listDeadLetters(source, {
    within,
    topics,
    limit,
    ...query,
  });
  return { items: letters.map((letter) => toLetterView(letter, format)), next, isLast };
}

function toLetterView(
  { record, failure, replayedAt }: DeadLetter,
  format: EventFormat,
): LetterView {
  const { topic, partition, offset, appendedAt, group, error, attempts, subscription } = failure;
  return {
    ...toEventView(record, format),
    failure: {
      topic: topic ?? null,
      partition: partition ?? null,
      offset: offset ?? null,
      appendedAt: toMoment(appendedAt),
      group: group ?? null,
      error: error ?? null,
      attempts: attempts ?? null,
      subscription: subscription ?? null,
    },
    replayedAt: toMoment(replayedAt),
  };
}
