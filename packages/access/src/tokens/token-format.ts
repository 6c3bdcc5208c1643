/*
 * A short-lived token is `pht_<payload>.<signature>`, both in base64url.
 *
 * The payload is JSON, the signature its HMAC-SHA256 with a key that is derived from the platform's
 * secret key. Nothing is stored: who holds the token can read its payload, and nobody can change it.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Applications } from '@posthaste/contracts';
import { tokenPrefix } from '../authenticator.js';
import type { TokenParent } from '../caller.js';
import { scopes as allScopes, type Scope } from '../scopes.js';

/** Longest token, in characters: it is sent in a header with each request. */
export const maxTokenLength = 4_096;
const pattern = /^pht_([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/;

/** Content of a token. */
export interface TokenPayload {
  readonly id: string;
  readonly name: string;
  readonly parent: TokenParent;
  readonly applications: Applications;
  readonly scopes: readonly Scope[];
  /** Realtime channels. Absent: those of its maker. */
  readonly channels?: readonly string[] | null | undefined;
  /** End of its life, in seconds since 1970. */
  readonly expiresAt: number;
}

/** Form of the payload in a token. Names are short, because each request carries them. */
interface EncodedPayload {
  readonly v: 1;
  readonly i: string;
  readonly n: string;
  readonly p: readonly [TokenParent['kind'], string];
  /** `null` is all applications. */
  readonly a: readonly string[] | null;
  readonly s: readonly string[];
  readonly c?: readonly string[];
  readonly e: number;
}

/** Returns the token of a payload. It may be longer than `maxTokenLength`. */
export function signToken(payload: TokenPayload, key: Uint8Array): string {
  const { id, name, parent, applications, scopes, channels, expiresAt } = payload;
  const encoded: EncodedPayload = {
    v: 1,
    i: id,
    n: name,
    p: [parent.kind, parent.id],
    a: applications === 'all' ? null : applications,
    s: scopes,
    ...(channels ? { c: channels } : {}),
    e: expiresAt,
  };
  const body = Buffer.from(JSON.stringify(encoded)).toString('base64url');
  return `${tokenPrefix}${body}.${sign(body, key).toString('base64url')}`;
}

/** Returns the payload of a token that was signed with this key; `undefined` for anything else. */
export function verifyToken(token: string, key: Uint8Array): TokenPayload | undefined {
  if (token.length > maxTokenLength) return undefined;
  const [, body, signature] = pattern.exec(token) ?? [];
  if (body === undefined || signature === undefined) return undefined;
  // base64url of 32 bytes has unused bits at its end, so the text is compared and not only the bytes.
  const expected = Buffer.from(sign(body, key).toString('base64url'));
  if (!timingSafeEqual(expected, Buffer.from(signature))) return undefined;
  return decode(JSON.parse(Buffer.from(body, 'base64url').toString('utf8')));
}

/** Decodes what this platform has signed; `undefined` if a later release has signed it. */
function decode(encoded: EncodedPayload): TokenPayload | undefined {
  const known = new Set<string>(allScopes);
  if (encoded.v !== 1 || !encoded.s.every((scope) => known.has(scope))) return undefined;
  return {
    id: encoded.i,
    name: encoded.n,
    parent: { kind: encoded.p[0], id: encoded.p[1] },
    applications: encoded.a ?? 'all',
    scopes: encoded.s as readonly Scope[],
    ...(encoded.c === undefined ? {} : { channels: encoded.c }),
    expiresAt: encoded.e,
  };
}

/** The prefix is signed too, so that a signature of something else never fits. */
function sign(body: string, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${tokenPrefix}${body}`).digest();
}
