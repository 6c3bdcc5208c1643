import {
  type EventEnvelope,
  parseEnvelope,
  parseJsonWithDigits,
  toCloudEvent,
} from '@posthaste/contracts';
import {
  applicationOf,
  decodeRecordWithDigits,
  encodeEnvelope,
  type StoredRecord,
} from '@posthaste/eventstream';
import { type TOptional, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox';
import {
  type BodyView,
  bodyFields,
  freeForm,
  momentSchema,
  nullable,
  toBodyView,
} from '../schemas/field-schemas.js';

/** Format of events in answers: the stored envelopes, or CloudEvents. */
export type EventFormat = 'envelope' | 'cloudevents';

export const eventFormatField: TOptional<TUnsafe<EventFormat>> = Type.Optional(
  Type.Unsafe<EventFormat>({
    type: 'string',
    enum: ['envelope', 'cloudevents'],
    description: 'Format of the events. Default `envelope`, as they are stored.',
  }),
);

/** Record of the log in an answer. The event may hold bigints: `stringifyExactJson` writes it. */
export interface EventView {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Application that it belongs to; null for none. */
  readonly application: string | null;
  readonly appendedAt: string;
  readonly event: object | null;
  readonly value?: BodyView;
}

/** Schema of an `EventView`, by field. */
export const eventViewFields: TProperties = {
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer({ description: 'Its position in the partition.' }),
  key: nullable(Type.String({ description: 'Events of one key are in one partition.' })),
  application: nullable(
    Type.String({
      description: 'The application that the event belongs to. Null: the record names none.',
    }),
  ),
  appendedAt: momentSchema,
  event: nullable(
    Type.Object(
      {},
      {
        ...freeForm,
        description: 'The envelope, or the CloudEvent with `format=cloudevents`.',
      },
    ),
  ),
  value: Type.Optional(
    Type.Object(bodyFields, {
      description: 'The content of a record that is no event: `event` is null then.',
    }),
  ),
};

export const eventViewSchema: TSchema = Type.Object(eventViewFields, { title: 'Event' });

/**
 * Returns the schema of a page of the log. Unlike a page of another list it always has a next one,
 * because more may be appended.
 */
export function eventPageSchema(item: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(item, {
      description: 'There may be few of them, or none, and still a next page with others.',
    }),
    next: nullable(
      Type.String({
        description:
          'The `cursor` of the next page, which also has what is appended later. Null if there is no topic yet.',
      }),
    ),
    isLast: Type.Boolean({
      description: 'True if there were no more events at the time of the query.',
    }),
  });
}

/** Converts a record for an answer. */
export function toEventView(record: StoredRecord, format: EventFormat): EventView {
  const { topic, partition, offset, key, value, timestampMs } = record;
  const event = toEvent(record, format);
  return {
    topic,
    partition,
    offset: Number(offset),
    key: key?.toString() ?? null,
    application: applicationOf(record) ?? null,
    appendedAt: new Date(timestampMs).toISOString(),
    event: event ?? null,
    ...(event ? {} : { value: toBodyView(value ?? undefined) }),
  };
}

/** Returns the event of a record, or `undefined` if it has none: anybody may append anything. */
function toEvent(record: StoredRecord, format: EventFormat): object | undefined {
  try {
    const envelope = decodeRecordWithDigits(record);
    if (envelope === null) return undefined;
    return format === 'cloudevents' ? toCloudEvent(envelope) : toStoredJson(record, envelope);
  } catch {
    return undefined;
  }
}

/**
 * Returns the envelope as it is stored. That of a CloudEvent which a consumer of the log wrote in its
 * own form is as `POST /v1/events` would store it.
 */
function toStoredJson({ value }: StoredRecord, envelope: EventEnvelope): object {
  const stored = value && findEnvelope(value, envelope);
  return stored ?? (parseJsonWithDigits(encodeEnvelope(envelope, 'default').toString()) as object);
}

/** Returns the JSON of the value if it is this envelope. */
function findEnvelope(value: Buffer, { id, name }: EventEnvelope): object | undefined {
  try {
    const json = parseJsonWithDigits(value.toString()) as object;
    const stored = parseEnvelope(json);
    return stored.id === id && stored.name === name ? json : undefined;
  } catch {
    return undefined;
  }
}
