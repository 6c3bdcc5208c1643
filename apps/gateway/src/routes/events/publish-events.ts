import { requestInvalid } from '@posthaste/callbacks';
import { eventNamePattern, PlatformError, toItemClaim } from '@posthaste/contracts';
import type {
  PublishBatcher,
  PublishedEvent,
  PublishOutcome,
  SubmittedEvent,
} from '@posthaste/eventstream/event-log';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import type { App } from '../../app.js';
import { hopsOf } from '../../http/hops.js';
import { compileValidator } from '../../http/validator.js';
import {
  convertInSlices,
  ItemFaults,
  type ItemProblem,
  itemResultFields,
  toItemProblem,
} from '../schemas/batch-item.js';
import { noUnknownKeys } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed } from '../schemas/idempotency.js';
import {
  addEventBodyParser,
  cloudEventsType,
  cloudEventType,
  type EventBody,
  readEventBody,
} from './event-body.js';
import {
  binaryDataSchema,
  binaryHeaders,
  cloudEventSchema,
  newEventSchema,
} from './event-schemas.js';
import { type EventContext, parseNewEvent } from './new-event.js';

const maxItems = 1_000;

const Query = Type.Object(
  {
    topic: Type.Optional(
      Type.String({
        pattern: eventNamePattern.source,
        maxLength: 249,
        description: 'The topic of events that name none.',
        examples: ['orders'],
      }),
    ),
    key: Type.Optional(
      Type.String({ minLength: 1, description: 'The key of events that have none.' }),
    ),
    application: Type.Optional(
      Type.String({ maxLength: 256, description: 'The application of events that name none.' }),
    ),
  },
  noUnknownKeys,
);

const Published = Type.Object(
  {
    id: Type.String(),
    topic: Type.String(),
    partition: Type.Integer(),
    offset: Type.Integer({ description: 'Its position in the partition.' }),
  },
  { title: 'PublishedEvent', description: 'The position of an event in the log.' },
);

const ListAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      ...itemResultFields,
      event: Type.Optional({ ...Published, description: 'With status 201.' }),
    }),
    { description: 'One for each event, in the order of the events.' },
  ),
});

const listOf = (item: TSchema): TSchema => Type.Array(item, { minItems: 1, maxItems });

/** Answer to one event of a list. */
type ItemAnswer = { readonly status: 201; readonly event: Static<typeof Published> } | ItemProblem;

interface PublishRoute {
  /** Undefined without a body: an event in binary mode may have no data. */
  Body: EventBody | undefined;
  Querystring: Static<typeof Query>;
  Reply: Static<typeof Published> | { items: ItemAnswer[] };
}

type PublishRequest = FastifyRequest<PublishRoute>;

/** Publisher of events: a `PublishBatcher`. */
type EventPublisher = Pick<PublishBatcher, 'publish'>;

/** Adds `POST /v1/events`: publishes one event or many. */
export function publishEventRoutes(app: App, publisher: EventPublisher): void {
  addEventBodyParser(app);
  app.post<PublishRoute>(
    '/v1/events',
    {
      config: {
        scope: 'events:write',
        application: 'items',
        audit: 'none',
        counts: 'events',
        errors: [
          'EVENT_INVALID',
          'REQUEST_INVALID',
          'EVENT_TOO_LARGE',
          'REQUEST_TOO_LARGE',
          'IDEMPOTENCY_KEY_REUSED',
          'EVENT_ID_REUSED',
          'TOPIC_LIMIT_REACHED',
          'APPLICATION_FORBIDDEN',
          'APPLICATION_REQUIRED',
          'MEDIA_TYPE_UNSUPPORTED',
        ],
      },
      // The schemas of body and headers are for the API document: `parseNewEvent` checks each event.
      validatorCompiler: (route) =>
        route.httpPart === 'querystring' ? compileValidator(route) : () => true,
      schema: {
        tags: ['Events'],
        operationId: 'publishEvents',
        summary: 'Publish one event or up to 1,000',
        description:
          'Takes the event envelope, and CloudEvents 1.0 in binary, structured and batched mode (https://github.com/cloudevents/spec); docs/cloudevents.md describes them. The answer comes after the commit of all events, in one transaction. One event is answered with 201. Each event of a list has its own answer, with the faults of the first 50 that are invalid: the others are published although one is refused. Events of one key are read in this order. A topic is created with its first event, while there are fewer than POSTHASTE_MAX_TOPICS. An event belongs to the application that it, the query or the key names. An event that was published before by the same application under the same id in the topic and namespace (source of a CloudEvent), or under the same Idempotency-Key in the topic, is not appended again: it gets the first answer again. Another event under that id is refused; only its time and its trace may differ.',
        headers: Type.Object({
          ...idempotencyHeaders('application and topic').properties,
          ...binaryHeaders,
        }),
        querystring: Query,
        body: {
          content: {
            'application/json': { schema: Type.Union([newEventSchema, listOf(newEventSchema)]) },
            [cloudEventType]: { schema: cloudEventSchema },
            [cloudEventsType]: { schema: Type.Array(cloudEventSchema, { maxItems }) },
            '*/*': { schema: binaryDataSchema },
          },
        },
        response: { 200: ListAnswer, 201: Published },
      },
    },
    (request, reply) => {
      const body = request.body ?? readEventBody(request, Buffer.alloc(0));
      const items = toItems(body);
      const publish: PublishCall = { publisher, request, reply, context: contextOf(request, body) };
      return items ? publishList(publish, items) : publishOne(publish, body.value);
    },
  );
}

/** Request to publish, with what its events have in common. */
interface PublishCall {
  readonly publisher: EventPublisher;
  readonly request: PublishRequest;
  readonly reply: FastifyReply;
  readonly context: EventContext;
}

/**
 * Returns the events of a list; undefined for one event.
 * @throws PlatformError `REQUEST_INVALID` when the media type is of one event and the body a list, or
 *   the other way round
 */
function toItems({ mode, value }: EventBody): readonly unknown[] | undefined {
  const isList = Array.isArray(value);
  if (mode === 'binary' || (!isList && mode !== 'batched')) return undefined;
  if (mode === 'structured') throw bodyInvalid('is a list, not one event');
  if (!isList) throw bodyInvalid('is not a list of events');
  // CloudEvents allow an empty batch, as an answer to the sender that has none.
  const minItems = mode === 'batched' ? 0 : 1;
  if (value.length < minItems || value.length > maxItems) {
    throw bodyInvalid(`must be ${minItems} to ${maxItems} events`);
  }
  return value;
}

function bodyInvalid(message: string): PlatformError {
  return requestInvalid([{ field: 'body', message }]);
}

async function publishOne(
  { publisher, request, reply, context }: PublishCall,
  value: unknown,
): Promise<Static<typeof Published>> {
  const event = parseNewEvent(value, context);
  const { idempotency } = request;
  const within = request.caller.applications;
  const [outcome] = await publisher.publish([{ event, within, idempotency }]);
  if (!outcome || outcome instanceof PlatformError) throw outcome;
  if (outcome.repeated) markReplayed(reply);
  reply.code(201);
  return toPublishedView(outcome);
}

async function publishList(
  { publisher, request, reply, context }: PublishCall,
  items: readonly unknown[],
): Promise<{ items: ItemAnswer[] }> {
  const parsed = await Promise.all(
    convertInSlices(items, (item, index) =>
      parseItem(item, context, {
        within: request.caller.applications,
        idempotency: request.idempotency && toItemClaim(request.idempotency, index),
      }),
    ),
  );
  const submitted = parsed.flatMap((item) => (item instanceof PlatformError ? [] : [item]));
  const outcomes = await publisher.publish(submitted);
  const outcomeOf = new Map(submitted.map((item, index) => [item, outcomes[index]]));
  if (isReplay(outcomes)) markReplayed(reply);
  const answers = parsed.map((item) =>
    toItemAnswer(item instanceof PlatformError ? item : outcomeOf.get(item), request),
  );
  await request.server.faultDelay.ofItems(request, answers);
  return { items: answers };
}

function contextOf(request: PublishRequest, { mode, mayHaveHalfPairs }: EventBody): EventContext {
  const { query, trace } = request;
  const { topic, key, application } = query;
  const applicationFor = (named = application): string => request.applicationFor(named);
  const shared = { topic, key, applicationFor, trace, hops: hopsOf(request) };
  return { ...shared, mode, mayHaveHalfPairs, faults: new ItemFaults() };
}

/** Parses one event of a list. An error is the answer to this event alone. */
function parseItem(
  item: unknown,
  context: EventContext,
  submitted: Omit<SubmittedEvent, 'event'>,
): SubmittedEvent | PlatformError {
  try {
    return { event: parseNewEvent(item, context), ...submitted };
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
}

/** True if all events of the answer had been published before. */
function isReplay(outcomes: readonly PublishOutcome[]): boolean {
  const taken = outcomes.flatMap((each) => (each instanceof PlatformError ? [] : [each]));
  return taken.length > 0 && taken.every(({ repeated }) => repeated);
}

function toItemAnswer(outcome: PublishOutcome | undefined, request: PublishRequest): ItemAnswer {
  return outcome === undefined || outcome instanceof PlatformError
    ? toItemProblem(outcome, request)
    : { status: 201, event: toPublishedView(outcome) };
}

function toPublishedView({
  id,
  topic,
  partition,
  offset,
}: PublishedEvent): Static<typeof Published> {
  return { id, topic, partition, offset: Number(offset) };
}
