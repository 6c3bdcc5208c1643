import { type TOptional, type TString, Type } from 'typebox';
import { momentSchema } from './schemas/field-schemas.js';

/** What events are picked by besides their topic. */
export const eventFilterFields: {
  readonly name: TOptional<TString>;
  readonly key: TOptional<TString>;
  readonly since: TOptional<TString>;
  readonly until: TOptional<TString>;
} = {
  name: Type.Optional(Type.String({ maxLength: 256, description: 'Only of this name.' })),
  key: Type.Optional(Type.String({ maxLength: 4_096, description: 'Only of this key.' })),
  since: Type.Optional({ ...momentSchema, description: 'Appended then or later.' }),
  until: Type.Optional({ ...momentSchema, description: 'Appended before.' }),
};
