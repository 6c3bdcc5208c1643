/**
 * Signatures of the Standard Webhooks specification. A secret is text: `whsec_` and the base64 of
 * 24 to 64 bytes for HMAC-SHA256, `whsk_` and the base64 of an ed25519 private key (its seed, or
 * seed and public key together). The public key of the latter is written `whpk_` and base64.
 */

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';

export const secretKinds = ['hmac', 'ed25519'] as const;
export type SecretKind = (typeof secretKinds)[number];

/** A key ready for use. The key object keeps what signing would else prepare every time. */
export interface SigningKey {
  readonly kind: SecretKind;
  readonly key: KeyObject;
}

export interface ParsedSecret extends SigningKey {
  /** `whpk_…`, for receivers to verify with; an HMAC secret has none. */
  readonly publicKey: string | undefined;
}

export interface SignatureInput {
  /** Value of `webhook-id`; has no dot. */
  readonly id: string;
  /** Value of `webhook-timestamp`: Unix seconds of the attempt. */
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
  /** All that are active: several while a secret is rotated. */
  readonly keys: readonly SigningKey[];
}

const hmacPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const publicPrefix = 'whpk_';
const minHmacBytes = 24;
const maxHmacBytes = 64;
const generatedHmacBytes = 32;
const seedBytes = 32;
/** What stands before the seed in the PKCS #8 form of an ed25519 key (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The value of `webhook-signature`: one signature per key, separated by spaces. */
export function sign({ id, timestampSeconds, body, keys }: SignatureInput): string {
  const head = `${id}.${timestampSeconds}.`;
  let value = '';
  for (const { kind, key } of keys) {
    if (value !== '') value += ' ';
    value +=
      kind === 'hmac'
        ? `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`
        : `v1a,${signBytes(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`;
  }
  return value;
}

/** A new secret as text. An ed25519 one is written as seed and public key, as others read it. */
export function generateSecret(kind: SecretKind = 'hmac'): string {
  if (kind === 'hmac') return hmacPrefix + randomBytes(generatedHmacBytes).toString('base64');
  const seed = randomBytes(seedBytes);
  const publicKey = publicBytes(toPrivateKey(seed));
  return privatePrefix + Buffer.concat([seed, publicKey]).toString('base64');
}

/** @throws PlatformError `SECRET_INVALID`; the message does not repeat the text */
export function parseSecret(text: string): ParsedSecret {
  if (text.startsWith(hmacPrefix)) return parseHmac(text.slice(hmacPrefix.length));
  if (text.startsWith(privatePrefix)) return parsePrivate(text.slice(privatePrefix.length));
  throw invalid(`a secret begins with ${hmacPrefix} or ${privatePrefix}`);
}

function parseHmac(base64: string): ParsedSecret {
  const bytes = parseBase64(base64);
  if (bytes.length < minHmacBytes || bytes.length > maxHmacBytes) {
    throw invalid(`the secret is ${bytes.length} bytes, not ${minHmacBytes} to ${maxHmacBytes}`);
  }
  return { kind: 'hmac', key: createSecretKey(bytes), publicKey: undefined };
}

function parsePrivate(base64: string): ParsedSecret {
  const bytes = parseBase64(base64);
  if (bytes.length !== seedBytes && bytes.length !== 2 * seedBytes) {
    throw invalid(`the private key is ${bytes.length} bytes, not ${seedBytes} or ${2 * seedBytes}`);
  }
  const key = toPrivateKey(bytes.subarray(0, seedBytes));
  const publicKey = publicBytes(key);
  if (bytes.length > seedBytes && !publicKey.equals(bytes.subarray(seedBytes))) {
    throw invalid('the private key is followed by the public key of another');
  }
  return { kind: 'ed25519', key, publicKey: publicPrefix + publicKey.toString('base64') };
}

/** Standard base64 with padding, or nothing: Node's own decoder skips what it does not know. */
function parseBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw invalid('what follows the prefix is not base64');
  return bytes;
}

function toPrivateKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' });
}

function publicBytes(privateKey: KeyObject): Buffer {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new PlatformError('INTERNAL', 'an ed25519 key without a public key');
  return Buffer.from(x, 'base64url');
}

function invalid(message: string): PlatformError {
  return new PlatformError('SECRET_INVALID', message);
}
