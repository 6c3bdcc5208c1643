import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { IdempotencyClaim } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyReply } from 'fastify';
import { type TSchema, Type } from 'typebox';

/**
 * `Idempotency-Key`: a caller that does not know whether its request arrived sends it again under
 * the same key, and gets the first answer again. Keys belong to an application, or a topic, and are
 * kept in the database with the SHA-256 of the body.
 */
const visible = /^[\x21-\x7e]{1,256}$/;

/**
 * The header as the API document shows it. It is checked by {@link readIdempotencyClaim}.
 * @param owner what the key is unique in
 */
export function idempotencyHeaders(owner: 'application' | 'topic'): TSchema {
  return Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: `Makes it safe to send the request again: the same key and body give the first answer again, with \`Idempotent-Replayed: true\`; the same key with another body is refused. 1 to 256 visible characters; unique in the ${owner}; kept for a day unless configured otherwise.`,
        examples: ['order-4711-shipped'],
      }),
    ),
  });
}

/**
 * The claim that a request makes, if it makes one.
 * @throws PlatformError `REQUEST_INVALID` when the key is not 1 to 256 visible characters
 */
export function readIdempotencyClaim(
  headers: IncomingHttpHeaders,
  body: string,
): IdempotencyClaim | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && visible.test(key)) {
    return { key, bodyHash: hash('sha256', body, 'buffer') };
  }
  const fault = { field: 'header.idempotency-key', message: 'is not 1 to 256 visible characters' };
  throw new PlatformError('REQUEST_INVALID', `${fault.field} ${fault.message}`, {
    details: [fault],
  });
}

/** Between the key of a list and the number of an item: keys of single ones cannot have it. */
const itemSeparator = '\n';

/** The claim of one item of a list: each is remembered by itself. */
export function toItemClaim({ key, bodyHash }: IdempotencyClaim, index: number): IdempotencyClaim {
  return { key: `${key}${itemSeparator}${index}`, bodyHash };
}

/** Tells the caller that this is the answer to an earlier request. */
export function markReplayed(reply: FastifyReply): void {
  reply.header('idempotent-replayed', 'true');
}
