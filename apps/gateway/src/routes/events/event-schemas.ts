import { isInt64 } from '@posthaste/contracts';
import { type TSchema, type TUnsafe, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldFault, toFieldFaults } from '../../http/field-faults.js';
import { momentSchema, noUnknownKeys } from '../schemas/field-schemas.js';

/** What the name of an event, a topic or a namespace looks like. */
export const eventNamePattern = "^[A-Za-z0-9]+(?:['_.-][A-Za-z0-9]+)*$";

const text = (description?: string) =>
  Type.Optional(Type.String(description === undefined ? {} : { description }));
const name = (description: string, examples: string[]) =>
  Type.String({ pattern: eventNamePattern, maxLength: 256, description, examples });

/** The envelope as it is handed in, and where it goes. `int64` differs between check and document. */
const eventOf = (int64: (description?: string) => TSchema) =>
  Type.Object(
    {
      topic: Type.Optional(name('Where it goes. Not given: the topic in the query.', ['orders'])),
      key: Type.Optional(
        Type.String({
          description:
            'Events of one key keep their order. Not given: that in the query, else the id.',
          examples: ['order-4711'],
        }),
      ),
      name: name('What happened; subscriptions and consumers choose by it.', ['order.placed']),
      namespace: Type.Optional(name('Whose event it is.', ['shop'])),
      id: Type.Optional(
        Type.String({
          maxLength: 256,
          description:
            'What comes again under the same id in this topic and namespace is the same event: it is not appended again. Not given: a new UUID without hyphens.',
        }),
      ),
      timestamp: Type.Optional({ ...momentSchema, description: 'When it happened. Default now.' }),
      timestampUnixNano: Type.Optional(
        int64('The same in nanoseconds since 1970; goes before `timestamp`.'),
      ),
      version: Type.Optional(int64("Of the payload's shape. Default 1.")),
      payload: Type.Optional(
        Type.Object({}, { description: 'What there is to say of it.', examples: [{ total: 3 }] }),
      ),
      userId: text('Who did it.'),
      clientId: text(),
      sessionId: text(),
      traceId: text(),
      spanContext: text("Jaeger's text of a span. Not given: that of the request's trace."),
      parentNamespace: text(),
      unionNamespace: text(),
      sourceNamespace: text(),
      event_id: Type.Optional(int64()),
      event_type: Type.Optional(int64()),
      event_level: Type.Optional(int64()),
      service: text('The service that publishes it.'),
      client_ids: Type.Optional(Type.Array(Type.String())),
      target_user_ids: Type.Optional(Type.Array(Type.String())),
      target_namespace: text(),
      privacy: Type.Optional(Type.Boolean()),
      additional_fields: Type.Optional(Type.Object({})),
    },
    {
      ...noUnknownKeys,
      title: 'NewEvent',
      description:
        'The event envelope of every stream, with where it goes. Null and empty text are as good as nothing.',
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

const validator = Compile(
  eventOf(() => Type.Refine(Type.Unknown(), isInteger, () => 'must be an integer of 64 bits')),
);

/** What is wrong with the form of an event; all of it. */
export function newEventFaults(event: unknown): FieldFault[] {
  return validator.Check(event) ? [] : toFieldFaults(validator.Errors(event), 'body');
}

export const cloudEventSchema: TUnsafe<unknown> = Type.Unsafe(
  Type.Object(
    {
      specversion: Type.Literal('1.0'),
      id: Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'Unique in its source and topic.',
      }),
      source: Type.String({
        minLength: 1,
        description: 'The namespace as `/namespaces/<namespace>`; any other is kept as it is.',
        examples: ['/namespaces/shop'],
      }),
      type: name('What happened: the name in the envelope.', ['order.placed']),
      time: Type.Optional(momentSchema),
      subject: text('Who did it: `userId` in the envelope.'),
      data: Type.Optional(Type.Object({}, { description: 'The payload.' })),
      topic: text('Where it goes. Not given: the topic in the query.'),
      partitionkey: text('Its key. Not given: that in the query, else the id.'),
    },
    {
      title: 'CloudEvent',
      description: 'CloudEvents 1.0 in JSON. Other attributes are kept.',
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
