import { hash, randomBytes } from 'node:crypto';
import { parseId, toCompactId } from '@posthaste/contracts';

const secretBytes = 32;
const tokenPattern = /^phk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

/** Parts of a token `phk_<id>_<secret>`. */
export interface ParsedToken {
  /** Id of the key, with hyphens. */
  readonly id: string;
  /** 32 random bytes, in base64url. */
  readonly secret: string;
}

/** Creates a random secret. It is long enough that its hash needs no salt and no slow algorithm. */
export function newSecret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** Returns the token that callers send. It is shown once and never stored. */
export function toToken({ id, secret }: ParsedToken): string {
  return `phk_${toCompactId(id)}_${secret}`;
}

/** Parses a token. Returns `undefined` for any other text. */
export function parseToken(token: string): ParsedToken | undefined {
  const [, compactId, secret] = tokenPattern.exec(token) ?? [];
  const id = compactId === undefined ? undefined : parseId(compactId);
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Returns the SHA-256 of a secret, which is stored in place of the secret. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
