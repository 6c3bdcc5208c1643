import { parseJsonWithBigints, toCloudEvent } from '@posthaste/contracts';
import { decodeEnvelope, type StoredRecord } from '@posthaste/eventstream';
import { type TOptional, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox';
import {
  type BodyView,
  bodyFields,
  momentSchema,
  nullable,
  toBodyView,
} from '../schemas/field-schemas.js';

/** How events are shown: as the envelopes that are stored, or as CloudEvents. */
export type EventFormat = 'envelope' | 'cloudevents';

export const eventFormatField: TOptional<TUnsafe<EventFormat>> = Type.Optional(
  Type.Unsafe<EventFormat>({
    type: 'string',
    enum: ['envelope', 'cloudevents'],
    description: 'How events are shown. Default `envelope`, as they are stored.',
  }),
);

/** A record of the log. The event may hold bigints: `stringifyExactJson` writes it. */
export interface EventView {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly appendedAt: string;
  readonly event: object | null;
  readonly value?: BodyView;
}

/** What an event in the log is shown with. */
export const eventViewFields: TProperties = {
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Type.Integer({ description: 'Its place in the partition.' }),
  key: nullable(Type.String({ description: 'Events of one key stand in one partition.' })),
  appendedAt: momentSchema,
  event: nullable(
    Type.Object({}, { description: 'The envelope or, when asked for, the CloudEvent.' }),
  ),
  value: Type.Optional(
    Type.Object(bodyFields, {
      description: 'What the record holds, where that is no event: `event` is null.',
    }),
  ),
};

export const eventViewSchema: TSchema = Type.Object(eventViewFields, { title: 'Event' });

/** A page of the log. Unlike other lists it always can be gone on from: more may be appended. */
export function eventPageSchema(item: TSchema): TSchema {
  return Type.Object({
    items: Type.Array(item, {
      description: 'May be few, or none, and still be followed by others.',
    }),
    next: nullable(
      Type.String({
        description:
          'Give it as `cursor` to get what comes behind, now or later. Null where there is no topic yet.',
      }),
    ),
    isLast: Type.Boolean({ description: 'There was no more when it was looked.' }),
  });
}

export function showEvent(record: StoredRecord, format: EventFormat): EventView {
  const { topic, partition, offset, key, value, timestampMs } = record;
  const event = value && toEvent(value, format);
  return {
    topic,
    partition,
    offset: Number(offset),
    key: key?.toString() ?? null,
    appendedAt: new Date(timestampMs).toISOString(),
    event: event ?? null,
    ...(event ? {} : { value: toBodyView(value ?? undefined) }),
  };
}

/** The event that these bytes are; `undefined` when they are none, as nothing hinders anybody. */
function toEvent(value: Buffer, format: EventFormat): object | undefined {
  try {
    const envelope = decodeEnvelope(value);
    return format === 'cloudevents'
      ? toCloudEvent(envelope)
      : (parseJsonWithBigints(value.toString()) as object);
  } catch {
    return undefined;
  }
}
