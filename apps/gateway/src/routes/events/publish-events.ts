import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { requestInvalid } from '@posthaste/callbacks';
import { type IdempotencyClaim, PlatformError, toItemClaim } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import type { App } from '../../app.js';
import type { EventIntake } from '../../event-intake.js';
import type { HandedInEvent, PublishedEvent, PublishOutcome } from '../../publish-once.js';
import { type ItemProblem, itemResultFields, toItemProblem } from '../schemas/batch-item.js';
import { addExactBodyParser } from '../schemas/exact-body.js';
import { noUnknownKeys } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed } from '../schemas/idempotency.js';
import { cloudEventSchema, eventNamePattern, newEventSchema } from './event-schemas.js';
import { type EventContext, parseNewEvent } from './new-event.js';

const maxItems = 1_000;
const cloudEvent = 'application/cloudevents+json';
const cloudEvents = 'application/cloudevents-batch+json';

const Query = Type.Object(
  {
    topic: Type.Optional(
      Type.String({
        pattern: eventNamePattern,
        maxLength: 249,
        description: 'Where events go that do not say it themselves.',
        examples: ['orders'],
      }),
    ),
    key: Type.Optional(
      Type.String({ minLength: 1, description: 'The key of those that have none.' }),
    ),
  },
  noUnknownKeys,
);

const Published = Type.Object(
  {
    id: Type.String(),
    topic: Type.String(),
    partition: Type.Integer(),
    offset: Type.Integer({ description: 'Its place in the partition.' }),
  },
  { title: 'PublishedEvent', description: 'Where an event stands in the log.' },
);

const ListAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      ...itemResultFields,
      event: Type.Optional({ ...Published, description: 'With status 201.' }),
    }),
    { description: 'One for each event, in their order.' },
  ),
});

const listOf = (item: TSchema): TSchema => Type.Array(item, { minItems: 1, maxItems });

/** What became of one of several events. */
type ItemAnswer = { readonly status: 201; readonly event: Static<typeof Published> } | ItemProblem;

interface PublishRoute {
  Body: unknown;
  Querystring: Static<typeof Query>;
  Reply: Static<typeof Published> | { items: ItemAnswer[] };
}

type PublishRequest = FastifyRequest<PublishRoute>;

/** `POST /v1/events`: one event or many. */
export function publishEventRoutes(app: App, intake: EventIntake): void {
  addExactBodyParser(app, ['application/json', cloudEvent, cloudEvents]);
  app.post<PublishRoute>(
    '/v1/events',
    {
      config: {
        scope: 'events:write',
        errors: [
          'EVENT_INVALID',
          'REQUEST_INVALID',
          'EVENT_TOO_LARGE',
          'REQUEST_TOO_LARGE',
          'IDEMPOTENCY_KEY_REUSED',
          'EVENT_ID_REUSED',
          'TOPIC_LIMIT_REACHED',
        ],
      },
      // What is said here is for those who read the document: each event is checked by itself.
      validatorCompiler: (route) =>
        route.httpPart === 'querystring' ? TypeBoxValidatorCompiler(route) : () => true,
      schema: {
        tags: ['Events'],
        summary: 'Publish one event or up to 1,000',
        description:
          'Answered once they are committed, in one transaction. One event is answered with 201; of a list each is answered on its own, and one that is refused does not keep the others back. Those of one key are read in this order. The topic is made with its first event, while there are fewer than POSTHASTE_MAX_TOPICS. What was published before under the same id in the topic and namespace (source of a CloudEvent), or under the same Idempotency-Key in the topic, is not appended again: the first answer is given again. Another event under that id is refused; when it happened and its trace may differ.',
        headers: idempotencyHeaders('topic'),
        querystring: Query,
        body: {
          content: {
            'application/json': { schema: Type.Union([newEventSchema, listOf(newEventSchema)]) },
            [cloudEvent]: { schema: cloudEventSchema },
            [cloudEvents]: { schema: listOf(cloudEventSchema) },
          },
        },
        response: { 200: ListAnswer, 201: Published },
      },
    },
    (request, reply) =>
      Array.isArray(request.body)
        ? publishList(intake, request, reply, request.body)
        : publishOne(intake, request, reply),
  );
}

async function publishOne(
  intake: EventIntake,
  request: PublishRequest,
  reply: FastifyReply,
): Promise<Static<typeof Published>> {
  const isCloudEvent = checkForm(request, false);
  const event = parseNewEvent(request.body, contextOf(request, isCloudEvent));
  const [outcome] = await intake.publish([{ event, idempotency: request.idempotency }]);
  if (!outcome || outcome instanceof PlatformError) throw outcome;
  if (outcome.repeated) markReplayed(reply);
  reply.code(201);
  return showPublished(outcome);
}

async function publishList(
  intake: EventIntake,
  request: PublishRequest,
  reply: FastifyReply,
  items: readonly unknown[],
): Promise<{ items: ItemAnswer[] }> {
  const context = contextOf(request, checkForm(request, true));
  if (items.length === 0 || items.length > maxItems) {
    throw requestInvalid([{ field: 'body', message: `must be 1 to ${maxItems} events` }]);
  }
  const parsed = items.map((item, index) =>
    parseItem(item, context, request.idempotency && toItemClaim(request.idempotency, index)),
  );
  const handedIn = parsed.flatMap((item) => (item instanceof PlatformError ? [] : [item]));
  const outcomes = await intake.publish(handedIn);
  const outcomeOf = new Map(handedIn.map((item, index) => [item, outcomes[index]]));
  if (isReplay(outcomes)) markReplayed(reply);
  return {
    items: parsed.map((item) =>
      toItemAnswer(item instanceof PlatformError ? item : outcomeOf.get(item), request),
    ),
  };
}

/**
 * Whether the media type says that it brings CloudEvents.
 * @throws PlatformError `REQUEST_INVALID` when it says one and there are many, or the other way round
 */
function checkForm({ headers }: PublishRequest, isList: boolean): boolean {
  const [mediaType = ''] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const form = mediaType.trim();
  if (form === (isList ? cloudEvent : cloudEvents)) {
    const message = isList ? 'is a list, not one event' : 'is not a list of events';
    throw requestInvalid([{ field: 'body', message }]);
  }
  return form !== 'application/json';
}

function contextOf({ query, trace }: PublishRequest, isCloudEvent: boolean): EventContext {
  return { address: { topic: query.topic, key: query.key }, trace, isCloudEvent };
}

/** An item that is refused is its own answer. */
function parseItem(
  item: unknown,
  context: EventContext,
  idempotency: IdempotencyClaim | undefined,
): HandedInEvent | PlatformError {
  try {
    return { event: parseNewEvent(item, context), idempotency };
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
}

/** Whether everything in the answer was there before. */
function isReplay(outcomes: readonly PublishOutcome[]): boolean {
  const taken = outcomes.flatMap((each) => (each instanceof PlatformError ? [] : [each]));
  return taken.length > 0 && taken.every(({ repeated }) => repeated);
}

function toItemAnswer(outcome: PublishOutcome | undefined, request: PublishRequest): ItemAnswer {
  return outcome === undefined || outcome instanceof PlatformError
    ? toItemProblem(outcome, request)
    : { status: 201, event: showPublished(outcome) };
}

function showPublished({ id, topic, partition, offset }: PublishedEvent): Static<typeof Published> {
  return { id, topic, partition, offset: Number(offset) };
}
