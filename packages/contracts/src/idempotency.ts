import { PlatformError } from './errors/errors.js';

/**
 * Idempotency-Key of a request, with the SHA-256 of its body. A caller that does not know if its
 * request arrived sends it again under the same key: with the same body it gets the first answer
 * again, with another body `IDEMPOTENCY_KEY_REUSED`. A key is unique within its owner, which is an
 * application or a topic.
 */
export interface IdempotencyClaim {
  readonly key: string;
  readonly bodyHash: Uint8Array;
}

const keyPattern = /^[\x21-\x7e]{1,256}$/;

/** True if the text may be an Idempotency-Key: 1 to 256 visible ASCII characters. */
export function isIdempotencyKey(text: string): boolean {
  return keyPattern.test(text);
}

/** Separates the key of a list from the index of an item: no key of a request contains it. */
const itemSeparator = '\n';

/** Returns the claim of one item of a list. Each item is remembered separately. */
export function toItemClaim({ key, bodyHash }: IdempotencyClaim, index: number): IdempotencyClaim {
  return { key: `${key}${itemSeparator}${index}`, bodyHash };
}

/**
 * Returns the error of a request whose key was used before for another body.
 * @param owner what keys are unique within
 */
export function idempotencyKeyReused(owner: 'application' | 'topic'): PlatformError {
  return new PlatformError(
    'IDEMPOTENCY_KEY_REUSED',
    `the Idempotency-Key was used for another body in this ${owner}; use a new key for a new request`,
  );
}
