import { isUtf8 } from 'node:buffer';
import { type TUnsafe, Type } from 'typebox';
import { nullable } from './field-schemas.js';

/** A body of a request or an answer: `text` where it is text, else `base64`; both null for none. */
export interface BodyView {
  text: string | null;
  base64: string | null;
}

export const bodyFields: { text: TUnsafe<string | null>; base64: TUnsafe<string | null> } = {
  text: nullable(Type.String({ description: 'The body, if it is UTF-8.' })),
  base64: nullable(Type.String({ description: 'The body, if it is not UTF-8.' })),
};

export function showBody(body: Buffer | undefined): BodyView {
  if (body === undefined) return { text: null, base64: null };
  return isUtf8(body)
    ? { text: body.toString('utf8'), base64: null }
    : { text: null, base64: body.toString('base64') };
}
