import { type EndpointPatch, type EventFormat, eventFormats } from '@posthaste/callbacks';
import { type TOptional, type TUnsafe, Type } from 'typebox';
import { type RetryChoice, retryChoiceSchema } from '../callbacks/retry-choice.js';
import { headersSchema, nullable } from '../schemas/field-schemas.js';
import { eventFormatDescription } from './endpoint-view.js';

/** Settings of an endpoint in requests, but for its name and URL. */
type Settings = Omit<EndpointPatch, 'name' | 'url' | 'policy' | 'isRecipientTrusted'> & {
  readonly retry?: RetryChoice | null;
};

type SettingSchemas = {
  readonly [Name in keyof Settings]-?: TOptional<TUnsafe<Exclude<Settings[Name], undefined>>>;
};

/** Schemas of the settings of an endpoint. Each may be left out, or null for its default. */
export const endpointSettings: SettingSchemas = {
  headers: Type.Optional(
    nullable({
      ...headersSchema,
      type: 'object',
      description:
        'Headers of every request. A header of the callback replaces that of the same name.',
    }),
  ),
  retry: Type.Optional(
    nullable({
      ...retryChoiceSchema,
      description:
        'One of `phases`, `exponential` and `policy`. Default: waits that grow, for about 16 hours in total.',
    }),
  ),
  timeoutMs: Type.Optional(
    nullable(
      Type.Integer({ minimum: 1, description: 'Longest total time of one attempt, in ms.' }),
    ),
  ),
  ratePerSecond: Type.Optional(
    nullable(
      Type.Number({
        minimum: 0.01,
        maximum: 10_000,
        description:
          'Most attempts per second, in each worker process. Default: no limit for this endpoint.',
      }),
    ),
  ),
  maxConcurrency: Type.Optional(
    nullable(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description:
          'Most attempts at the same time, in each worker process; at least one in each of its threads. Default: no limit for this endpoint.',
      }),
    ),
  ),
  order: Type.Optional(
    Type.Unsafe<NonNullable<EndpointPatch['order']> | null>(
      nullable(
        Type.String({
          description:
            'Field by which events are ordered: `none`, `key`, `namespace`, `userId`, or a JSON Pointer into the payload (the data of a CloudEvent). Events with the same value are delivered one after another. Default `none`.',
          examples: ['key', '/order/id'],
        }),
      ),
    ),
  ),
  eventFormat: Type.Optional(
    Type.Unsafe<EventFormat | null>({
      type: ['string', 'null'],
      enum: [...eventFormats, null],
      description: `${eventFormatDescription} Default \`envelope\`. With the CloudEvents formats, receivers must read both modes: an event that does not fit in headers comes in structured mode.`,
    }),
  ),
  notificationEmail: Type.Optional(
    nullable(
      Type.String({
        maxLength: 320,
        description:
          'Gets a mail when a callback fails for good, and when the endpoint is disabled; once the recipient has confirmed, unless the caller is one for all applications.',
      }),
    ),
  ),
};
