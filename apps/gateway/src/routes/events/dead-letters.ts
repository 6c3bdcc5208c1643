import { requestInvalid } from '@posthaste/callbacks';
import { stringifyExactJson } from '@posthaste/contracts';
import type { PostgresLog, StoredRecord } from '@posthaste/eventstream';
import type { Database } from '@posthaste/postgres';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { readFailedDelivery } from '../../dead-letter.js';
import { toEventFilter } from '../../event-filter.js';
import { findReplayed } from '../../replayed-letter-store.js';
import { eventFilterFields } from '../event-filter-fields.js';
import { momentSchema, noUnknownKeys, nullable, toMoment } from '../schemas/field-schemas.js';
import { pageQuery } from '../schemas/pages.js';
import {
  type EventFormat,
  type EventView,
  eventFormatField,
  eventPageSchema,
  eventViewFields,
  showEvent,
} from './event-view.js';

export interface DeadLetterDeps {
  readonly db: Database;
  readonly log: PostgresLog;
}

/** Whose places fit into the cursor of a page. */
const maxTopics = 100;
/** What topics of dead letters end in. */
const suffix = '.dlq';

const groupField = Type.Optional(
  Type.String({
    maxLength: 256,
    description: 'Only of this consumer group, which failed on them.',
  }),
);

const Query = Type.Object(
  {
    topic: Type.Optional(
      Type.String({
        description: 'The topic that they came from. Not given: all topics.',
        examples: ['orders'],
      }),
    ),
    ...eventFilterFields,
    group: groupField,
    format: eventFormatField,
    ...pageQuery(500),
  },
  noUnknownKeys,
);

const Failure = Type.Object(
  {
    topic: nullable(Type.String({ description: 'Where it came from.' })),
    partition: nullable(Type.Integer()),
    offset: nullable(Type.Integer()),
    appendedAt: nullable(momentSchema),
    group: nullable(Type.String({ description: 'The consumer group that failed on it.' })),
    error: nullable(Type.String({ description: 'What it failed with, the last time.' })),
    attempts: nullable(
      Type.Integer({ description: 'Times that it was tried; 0 when it could not be read.' }),
    ),
    subscription: nullable(
      Type.String({ description: 'The event name that was asked for; empty for all.' }),
    ),
  },
  { description: 'What the dead letter says of it; null where it says nothing.' },
);

const View = Type.Object(
  {
    ...eventViewFields,
    failure: Failure,
    replayedAt: nullable({ ...momentSchema, description: 'When it was replayed last.' }),
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

/** `GET /v1/events/dead-letters`: what consumers could not handle. */
export function deadLetterRoutes(app: App, deps: DeadLetterDeps): void {
  app.get(
    '/v1/events/dead-letters',
    {
      config: { scope: 'events:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags: ['Dead letters'],
        summary: 'List dead letters, oldest first',
        description:
          'Events that consumers could not handle, from the topics `<topic>.dlq`. They stay there when they are replayed, until they are too old. A page may be short, even empty, and be followed by others.',
        querystring: Query,
        response: { 200: eventPageSchema(View) },
      },
    },
    async ({ query }, reply) => {
      const page = await listLetters(deps, query);
      reply.header('content-type', 'application/json; charset=utf-8');
      // Not before: it would write an error too.
      reply.serializer(stringifyExactJson);
      return page;
    },
  );
}

async function listLetters(
  { db, log }: DeadLetterDeps,
  { topic, group, format = 'envelope', limit = 50, cursor, ...filter }: Static<typeof Query>,
): Promise<LetterPage> {
  const topics = await deadLetterTopics(log, topic);
  if (topics.length === 0) return { items: [], next: null, isLast: true };
  const page = await log.listEvents({ topics, cursor, ...toEventFilter(filter), limit });
  const letters = page.records.filter((record) => {
    return group === undefined || readFailedDelivery(record).group === group;
  });
  const replayed = await findReplayed(db, letters);
  const items = letters.map((letter) => showLetter(letter, format, replayed.get(letter)));
  return { items, next: page.next, isLast: page.isLast };
}

/** Those that there are: a topic gets one with its first dead letter. */
async function deadLetterTopics(log: PostgresLog, topic: string | undefined): Promise<string[]> {
  const all = await log.listTopics();
  const topics = all.filter((name) =>
    topic === undefined ? name.endsWith(suffix) : name === topic + suffix,
  );
  if (topics.length <= maxTopics) return topics;
  const message = `is needed: more than ${maxTopics} topics have dead letters`;
  throw requestInvalid([{ field: 'query.topic', message }]);
}

function showLetter(
  letter: StoredRecord,
  format: EventFormat,
  replayedAt: Date | undefined,
): LetterView {
  const { topic, partition, offset, appendedAt, group, error, attempts, subscription } =
    readFailedDelivery(letter);
  return {
    ...showEvent(letter, format),
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
