import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type TObject, Type } from 'typebox';

/** Schema of the header of a conditional change, for the API document. */
export const ifMatchHeaders: TObject = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description:
        'ETag of the answer that the change is based on. Refused with PRECONDITION_FAILED if somebody has changed it since. Default: the last change wins.',
      examples: ['"JbMn0QFvH0lTyq1lT3QxRg"'],
    }),
  ),
});

/** Sets the ETag of an answer that shows something of this version (RFC 9110, section 8.8.3). */
export function setEntityTag(reply: FastifyReply, version: string): void {
  reply.header('etag', `"${version}"`);
}

/**
 * Returns the versions that If-Match names (RFC 9110, section 13.1.1); `undefined` without the
 * header, and for `*`, which any version matches. Weak tags match nothing, nor does any other text.
 */
export function readIfMatch({ 'if-match': header }: IncomingHttpHeaders): string[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return [...header.matchAll(/(?:^|,)\s*"([^"]*)"/g)].map(([, version = '']) => version);
}
