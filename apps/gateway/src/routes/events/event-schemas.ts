import { eventNamePattern, isInt64 } from '@posthaste/contracts';
import { type TOptional, type TSchema, type TString, type TUnsafe, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldFault, toFieldFaults } from '../../http/field-faults.js';
import type { ItemFaults } from '../schemas/batch-item.js';
import { freeForm, momentSchema, noUnknownKeys } from '../schemas/field-schemas.js';

const applicationMeaning =
  "The application that the event belongs to. Readers do not find it in the event. Default: the application in the query, else the caller's.";

const text = (description?: string) =>
  Type.Optional(Type.String(description === undefined ? {} : { description }));
const name = (description: string, examples: string[]) =>
  Type.String({ pattern: eventNamePattern.source, maxLength: 256, description, examples });

/** Filter fields of queries and replays. A topic is not among them. */
export const eventFilterFields: {
  readonly name: TOptional<TString>;
  readonly key: TOptional<TString>;
  readonly since: TOptional<TString>;
  readonly until: TOptional<TString>;
} = {
  name: Type.Optional(
    Type.String({
      maxLength: 1_024,
      description:
        'Only events of this name (for CloudEvents: of this `type`), or of the names that match this pattern: `*` matches one segment between dots; `**`, only in the last place, matches one or more.',
      examples: ['order.placed', 'order.*', 'order.**'],
    }),
  ),
  key: Type.Optional(Type.String({ maxLength: 4_096, description: 'Only events of this key.' })),
  since: Type.Optional({
    ...momentSchema,
    description: 'Only events appended at this time or later.',
  }),
  until: Type.Optional({ ...momentSchema, description: 'Only events appended before this time.' }),
};

/**
 * Returns the schema of an envelope with its topic and key. `int64` gives the schema of an integer,
 * which differs between validation and API document.
 */
const eventOf = (int64: (description?: string) => TSchema) =>
  Type.Object(
    {
      topic: Type.Optional(
        name('The topic of the event. Default: the topic in the query.', ['orders']),
      ),
      application: Type.Optional(
        Type.String({ maxLength: 256, description: applicationMeaning, examples: ['shop'] }),
      ),
      key: Type.Optional(
        Type.String({
          description:
            'Events of one key keep their order. Default: the key in the query, else the id.',
          examples: ['order-4711'],
        }),
      ),
      name: name('What happened. Subscriptions and consumers choose events by it.', [
        'order.placed',
      ]),
      namespace: Type.Optional(name('The owner of the event.', ['shop'])),
      id: Type.Optional(
        Type.String({
          maxLength: 256,
          description:
            'An event that is published again under the same id in this application, topic and namespace is not appended again. Default: a new UUID without hyphens.',
        }),
      ),
      timestamp: Type.Optional({
        ...momentSchema,
        description: 'When the event happened. Default: now.',
      }),
      timestampUnixNano: Type.Optional(
        int64('The same time in nanoseconds since 1970. Takes precedence over `timestamp`.'),
      ),
      version: Type.Optional(int64('Version of the payload. Default 1.')),
      payload: Type.Optional(
        Type.Object(
          {},
          { ...freeForm, description: 'The content of the event.', examples: [{ total: 3 }] },
        ),
      ),
      userId: text('The user who caused the event.'),
      clientId: text(),
      sessionId: text(),
      traceId: text(),
      spanContext: text("A span as Jaeger writes it. Default: the span of the request's trace."),
      parentNamespace: text(),
      unionNamespace: text(),
      sourceNamespace: text(),
      event_id: Type.Optional(int64()),
      event_type: Type.Optional(int64()),
      event_level: Type.Optional(int64()),
      service: text('The service that publishes the event.'),
      client_ids: Type.Optional(Type.Array(Type.String())),
      target_user_ids: Type.Optional(Type.Array(Type.String())),
      target_namespace: text(),
      privacy: Type.Optional(Type.Boolean()),
      additional_fields: Type.Optional(Type.Object({}, freeForm)),
    },
    {
      ...noUnknownKeys,
      title: 'NewEvent',
      description:
        'The event envelope of every stream, with topic, key and application. Null and empty text count as not given.',
      examples: [
        { topic: 'orders', key: 'order-4711', name: 'order.placed', payload: { total: 3 } },
      ],
    },
  );

export const newEventSchema: TUnsafe<unknown> = Type.Unsafe(
  eventOf((description) =>
    Type.Integer({ format: 'int64', ...(description === undefined ? {} : { description }) }),
  ),
);

const isInteger = (value: unknown): boolean =>
  typeof value === 'bigint' ? isInt64(value) : Number.isSafeInteger(value);

const schema = eventOf(() =>
  Type.Refine(Type.Unknown(), isInteger, () => 'must be an integer of 64 bits'),
);
const validator = Compile(schema);

/** Returns all faults in the form of an event of a request; none if it is valid. */
export function newEventFaults(event: unknown, faults: ItemFaults): FieldFault[] {
  if (validator.Check(event)) return [];
  return faults.explain(() => toFieldFaults(validator.Errors(event), 'body', schema));
}

/** Schema of the data of a CloudEvent in binary mode. */
export const binaryDataSchema: TUnsafe<unknown> = Type.Unsafe({
  type: 'string',
  format: 'binary',
  description:
    'The data of a CloudEvent in binary mode, whose attributes are headers. JSON and text are stored as such, anything else as bytes. An event without data has no body.',
});

const header = (description: string, examples: string[]) =>
  Type.Optional(Type.String({ description, examples }));

/** Headers of a CloudEvent in binary mode, for the API document. */
export const binaryHeaders: Readonly<Record<string, TOptional<TString>>> = {
  'ce-specversion': header('CloudEvents in binary mode: `1.0`.', ['1.0']),
  'ce-id': header('CloudEvents in binary mode: the id.', ['8b5f6d3e']),
  'ce-source': header('CloudEvents in binary mode: the source.', ['/namespaces/shop']),
  'ce-type': header(
    'CloudEvents in binary mode: the type. Each other attribute also is a header of its name after `ce-`. Values are percent-encoded.',
    ['order.placed'],
  ),
};

export const cloudEventSchema: TUnsafe<unknown> = Type.Unsafe(
  Type.Object(
    {
      specversion: Type.Literal('1.0'),
      id: Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'Unique in its source, topic and application.',
      }),
      source: Type.String({
        minLength: 1,
        description:
          'The namespace as `/namespaces/<namespace>`. Any other source is kept as it is.',
        examples: ['/namespaces/shop'],
      }),
      type: Type.String({
        minLength: 1,
        description:
          'What happened: `name` in the envelope. The name of a type that is no valid name is derived from it.',
        examples: ['order.placed'],
      }),
      time: Type.Optional(momentSchema),
      subject: text('The user who caused the event: `userId` in the envelope.'),
      datacontenttype: text('The media type of the data. Default `application/json`.'),
      dataschema: text('The schema of the data, as a URI.'),
      data: Type.Optional(
        Type.Unknown({
          description:
            'The content, JSON of any kind or text: `payload` in the envelope, as `{"data": …}` if it is no object.',
        }),
      ),
      data_base64: text('The content as bytes, in base64, instead of `data`.'),
      topic: text('The topic of the event. Default: the topic in the query.'),
      posthasteapplication: Type.Optional(
        Type.String({ maxLength: 256, description: applicationMeaning }),
      ),
      partitionkey: text('The key of the event. Default: the key in the query, else the id.'),
    },
    {
      ...freeForm,
      title: 'CloudEvent',
      description:
        'CloudEvents 1.0 in JSON. Other attributes are kept: text, a boolean or an integer.',
      examples: [
        {
          specversion: '1.0',
          id: '8b5f6d3e',
          source: '/namespaces/shop',
          type: 'order.placed',
          data: { total: 3 },
        },
      ],
    },
  ),
);
