import { isUtf8 } from 'node:buffer';
import {
  type Static,
  type TOptional,
  type TSchema,
  type TString,
  type TUnsafe,
  Type,
} from 'typebox';

/** Schemas of fields that several resources have. */

/** Option of schemas of objects that callers send: an unknown key is an error and not ignored. */
export const noUnknownKeys: { readonly additionalProperties: false } = {
  additionalProperties: false,
};

/** Option of schemas of objects whose keys callers choose, such as the payload of an event. */
export const freeForm: { readonly additionalProperties: true } = { additionalProperties: true };

/** A time in JSON: RFC 3339, with its offset. */
export const momentSchema: TString = Type.String({
  format: 'date-time',
  examples: ['2026-01-02T03:04:05.678Z'],
});

/**
 * Returns the schema of the same value or null. `type` becomes a list, which serializers handle
 * fast. The title is left out, because it belongs to the schema without null.
 */
export function nullable<S extends TSchema & { readonly type: string }>({
  title: _,
  ...schema
}: S & { readonly title?: string }): TUnsafe<Static<S> | null> {
  return Type.Unsafe({ ...schema, type: [schema.type, 'null'] });
}

/** Headers: text by any name. */
export const headersSchema: TUnsafe<Record<string, string>> = Type.Unsafe<Record<string, string>>(
  Type.Object({}, { additionalProperties: Type.String() }),
);

export const idSchema: TString = Type.String({
  description: 'A UUID. In requests it may also be written without hyphens.',
  examples: ['019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11'],
});

/** Path parameter `:id`. Any text is valid: text that is no id gets the 404 of an unknown id. */
export interface IdParams {
  readonly id: string;
}

export const idParams: TUnsafe<IdParams> = Type.Unsafe<IdParams>(Type.Object({ id: idSchema }));

export const applicationField: TOptional<TString> = Type.Optional(
  Type.String({
    maxLength: 256,
    description:
      'Name of the application that owns it. Default: the one of the API key; without a key, or with one for all, POSTHASTE_DEFAULT_APPLICATION, which is the application with the empty name unless set.',
    examples: ['shop'],
  }),
);

/** Filter by application. */
export const applicationFilter: TOptional<TString> = Type.Optional(
  Type.String({
    maxLength: 256,
    description:
      'Only those of the application of this name. Empty text is the application with the empty name. Default: those of all applications of the caller.',
    examples: ['shop'],
  }),
);

/** Names of configured things such as secrets. They need no escaping in a path. */
export const configuredNameSchema: TString = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description:
    '1 to 100 letters, digits, dots, hyphens and underscores; the first is a letter or a digit.',
  examples: ['orders-2026'],
});

/** Converts a time to JSON; null when there is none. */
export function toMoment(moment: Date | undefined): string | null {
  return moment?.toISOString() ?? null;
}

/**
 * Body of a request or an answer: `text` if it is UTF-8, else `base64`. Both are null without one.
 */
export interface BodyView {
  text: string | null;
  base64: string | null;
}

export const bodyFields: { text: TUnsafe<string | null>; base64: TUnsafe<string | null> } = {
  text: nullable(Type.String({ description: 'The body, if it is UTF-8.' })),
  base64: nullable(Type.String({ description: 'The body, if it is not UTF-8.' })),
};

export function toBodyView(body: Buffer | undefined): BodyView {
  if (body === undefined) return { text: null, base64: null };
  return isUtf8(body)
    ? { text: body.toString('utf8'), base64: null }
    : { text: null, base64: body.toString('base64') };
}
