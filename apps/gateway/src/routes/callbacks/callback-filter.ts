import { type TInteger, type TOptional, type TString, Type } from 'typebox';
import { applicationFilter, idSchema, momentSchema } from '../schemas/field-schemas.js';

/** Filters of callbacks besides the state, for lists and for replays. */
export const callbackFilterFields: {
  readonly application: TOptional<TString>;
  readonly queue: TOptional<TString>;
  readonly endpointId: TOptional<TString>;
  readonly createdFrom: TOptional<TString>;
  readonly createdTo: TOptional<TString>;
  readonly host: TOptional<TString>;
  readonly statusCode: TOptional<TInteger>;
} = {
  application: applicationFilter,
  queue: Type.Optional(
    Type.String({ maxLength: 256, description: 'Only those of queues of this name.' }),
  ),
  endpointId: Type.Optional(idSchema),
  createdFrom: Type.Optional({ ...momentSchema, description: 'Accepted at this time or later.' }),
  createdTo: Type.Optional({ ...momentSchema, description: 'Accepted before this time.' }),
  host: Type.Optional(
    Type.String({
      maxLength: 512,
      description: 'Host of the URL. With a port, only this port; without one, any port.',
      examples: ['example.com'],
    }),
  ),
  statusCode: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 999,
      description: 'Status code of the last attempt; 0 if there was no answer.',
    }),
  ),
};

interface CreatedRange<Time> {
  readonly createdFrom?: Time;
  readonly createdTo?: Time;
}

/** Converts a filter to that of the callbacks package: times become dates. */
export function toCallbackFilter<Filter extends CreatedRange<string>>({
  createdFrom,
  createdTo,
  ...rest
}: Filter): Omit<Filter, keyof CreatedRange<string>> & CreatedRange<Date | undefined> {
  return {
    ...rest,
    createdFrom: createdFrom === undefined ? undefined : new Date(createdFrom),
    createdTo: createdTo === undefined ? undefined : new Date(createdTo),
  };
}
