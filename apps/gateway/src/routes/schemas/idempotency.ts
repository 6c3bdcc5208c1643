import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type IdempotencyClaim, isIdempotencyKey, PlatformError } from '@posthaste/contracts';
import type { FastifyReply } from 'fastify';
import { type TObject, Type } from 'typebox';

/**
 * Returns the schema of the header for the API document; {@link readIdempotencyClaim} checks the
 * header of a request.
 * @param owner what keys are unique within
 */
export function idempotencyHeaders(owner: 'application' | 'application and topic'): TObject {
  return Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: `Makes it safe to send the request again. The same key with the same body gets the first answer again, with \`Idempotent-Replayed: true\`; the same key with another body is refused. 1 to 256 visible ASCII characters, unique in the ${owner}. Kept for a day, unless configured otherwise.`,
        examples: ['order-4711-shipped'],
      }),
    ),
  });
}

/**
 * Returns the claim of a request; `undefined` without the header.
 * @throws PlatformError `REQUEST_INVALID` when the key is not 1 to 256 visible ASCII characters
 */
export function readIdempotencyClaim(
  headers: IncomingHttpHeaders,
  body: string | Uint8Array,
): IdempotencyClaim | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && isIdempotencyKey(key)) {
    return { key, bodyHash: hash('sha256', body, 'buffer') };
  }
  const fault = {
    field: 'header.idempotency-key',
    message: 'must be 1 to 256 visible ASCII characters',
  };
  throw new PlatformError('REQUEST_INVALID', `${fault.field} ${fault.message}`, {
    details: [fault],
  });
}

/** Marks the answer as the repeated answer to an earlier request. */
export function markReplayed(reply: FastifyReply): void {
  reply.header('idempotent-replayed', 'true');
}
