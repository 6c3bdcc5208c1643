import { type TInteger, type TOptional, type TString, Type } from 'typebox';
import { applicationField, idSchema, momentSchema } from '../schemas/field-schemas.js';

/** What callbacks are picked by besides their state, for lists and for replays. */
export const callbackFilterFields: {
  readonly application: TOptional<TString>;
  readonly queue: TOptional<TString>;
  readonly endpointId: TOptional<TString>;
  readonly createdFrom: TOptional<TString>;
  readonly createdTo: TOptional<TString>;
  readonly host: TOptional<TString>;
  readonly statusCode: TOptional<TInteger>;
} = {
  application: applicationField,
  queue: Type.Optional(Type.String({ maxLength: 256 })),
  endpointId: Type.Optional(idSchema),
  createdFrom: Type.Optional({ ...momentSchema, description: 'Accepted then or later.' }),
  createdTo: Type.Optional({ ...momentSchema, description: 'Accepted before.' }),
  host: Type.Optional(
    Type.String({
      maxLength: 512,
      description: 'Host of the URL, with its port or, for any port, without.',
      examples: ['example.com'],
    }),
  ),
  statusCode: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 999,
      description: 'Of the last attempt; 0 when it had no answer.',
    }),
  ),
};

interface Moments<Moment> {
  readonly createdFrom?: Moment;
  readonly createdTo?: Moment;
}

/** A filter as the domain takes it: with dates for moments. */
export function toFilter<Filter extends Moments<string>>({
  createdFrom,
  createdTo,
  ...rest
}: Filter): Omit<Filter, keyof Moments<string>> & Moments<Date | undefined> {
  return {
    ...rest,
    createdFrom: createdFrom === undefined ? undefined : new Date(createdFrom),
    createdTo: createdTo === undefined ? undefined : new Date(createdTo),
  };
}
