import {
  type Static,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';

/** Schemas of what several resources have. */

/** For objects that callers send: a key that is not known is an error, not a wish ignored. */
export const strict: { readonly additionalProperties: false } = { additionalProperties: false };

/** A moment on the wire, RFC 3339 with its offset. */
export const momentSchema: TString = Type.String({
  format: 'date-time',
  examples: ['2026-01-02T03:04:05.678Z'],
});

/**
 * The same schema, or null. `type` as a list, because serializers are fast with it; without the
 * title, which is that of the schema itself.
 */
export function nullable<S extends TSchema & { readonly type: string }>({
  title: _,
  ...schema
}: S & { readonly title?: string }): TUnsafe<Static<S> | null> {
  return Type.Unsafe({ ...schema, type: [schema.type, 'null'] });
}

/** Text by names that are not known beforehand. */
export const headersSchema: TUnsafe<Record<string, string>> = Type.Unsafe<Record<string, string>>(
  Type.Object({}, { additionalProperties: Type.String() }),
);

export const idSchema: TString = Type.String({
  description: 'A UUID. Where an id is asked for, it may also be written without hyphens.',
  examples: ['019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11'],
});

/** `:id` in a path. Any text: what is no id is the id of nothing, which is a 404. */
export interface IdParams {
  readonly id: string;
}

export const idParams: TUnsafe<IdParams> = Type.Unsafe<IdParams>(Type.Object({ id: idSchema }));

export const applicationField: TOptional<TString> = Type.Optional(
  Type.String({
    maxLength: 256,
    description: 'Whose it is. Not given: the application with the empty name.',
    examples: ['shop'],
  }),
);

/** Names that people give to what they configure: fit for a path as they are. */
export const configuredNameSchema: TString = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description: 'Up to 100 letters, digits, points, hyphens and underscores.',
  examples: ['orders-2026'],
});

/** A moment as the wire has it; null when there is none. */
export function toMoment(moment: Date | undefined): string | null {
  return moment?.toISOString() ?? null;
}
