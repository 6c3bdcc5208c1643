import { hash, randomBytes } from 'node:crypto';
import { parseId, toCompactId } from '@posthaste/contracts';

const secretBytes = 32;
const tokenPattern = /^phk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/;

/** The two halves of `phk_<id>_<secret>`. */
export interface ParsedToken {
  /** The key's id, with hyphens. */
  readonly id: string;
  /** 32 random bytes in base64url. */
  readonly secret: string;
}

/** A secret that nobody can guess: hashing it needs no salt and no slowness. */
export function newSecret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

/** The text that callers send. It is shown once and never stored. */
export function toToken({ id, secret }: ParsedToken): string {
  return `phk_${toCompactId(id)}_${secret}`;
}

/** The halves of a token; `undefined` for anything that is not of its form. */
export function parseToken(token: string): ParsedToken | undefined {
  const [, compactId, secret] = tokenPattern.exec(token) ?? [];
  const id = compactId === undefined ? undefined : parseId(compactId);
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** SHA-256 of a secret: what the database keeps. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** A name for a token in memory, so that tokens themselves are not kept. */
export function fingerprint(token: string): string {
  return hash('sha256', token, 'base64');
}
