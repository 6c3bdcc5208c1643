/*
 * Signatures of the Standard Webhooks specification. A secret is text:
 *
 * - HMAC-SHA256: `whsec_` and the base64 of 24 to 64 bytes;
 * - ed25519: `whsk_` and the base64 of the private key (its seed, or its seed and public key). Its
 *   public key is `whpk_` and base64.
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

/** A key to sign with. Its key object is prepared once, not for every signature. */
export interface SigningKey {
  readonly kind: SecretKind;
  readonly key: KeyObject;
}

/** A secret, parsed from its text. */
export interface ParsedSecret extends SigningKey {
  /** `whpk_…`, with which receivers verify; absent for HMAC. */
  readonly publicKey: string | undefined;
}

/** Parts of a request that are signed, and the keys. */
export interface SignatureInput {
  /** Value of the header `webhook-id`, without dots. */
  readonly id: string;
  /** Value of the header `webhook-timestamp`: Unix seconds of the attempt. */
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
  /** All active keys: several during a rotation. */
  readonly keys: readonly SigningKey[];
}

const hmacPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const publicPrefix = 'whpk_';
const minHmacBytes = 24;
const maxHmacBytes = 64;
const generatedHmacBytes = 32;
const seedBytes = 32;
/** Bytes before the seed in the PKCS #8 form of an ed25519 key (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Returns the value of the header `webhook-signature`: one signature per key, with spaces. */
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

/** Generates a secret. An ed25519 one is seed and public key, which other libraries read too. */
export function generateSecret(kind: SecretKind = 'hmac'): string {
  if (kind === 'hmac') return hmacPrefix + randomBytes(generatedHmacBytes).toString('base64');
  const seed = randomBytes(seedBytes);
  const publicKey = publicBytes(toPrivateKey(seed));
  return privatePrefix + Buffer.concat([seed, publicKey]).toString('base64');
}

/** Parses a secret. @throws PlatformError `SECRET_INVALID`; the message does not repeat the text */
export function parseSecret(text: string): ParsedSecret {
  if (text.startsWith(hmacPrefix)) return parseHmac(text.slice(hmacPrefix.length));
  if (text.startsWith(privatePrefix)) return parsePrivate(text.slice(privatePrefix.length));
  throw invalid(`a secret must begin with ${hmacPrefix} or ${privatePrefix}`);
}

function parseHmac(base64: string): ParsedSecret {
  const bytes = parseBase64(base64);
  if (bytes.length < minHmacBytes || bytes.length > maxHmacBytes) {
    throw invalid(
      `the secret has ${bytes.length} bytes; it must have ${minHmacBytes} to ${maxHmacBytes}`,
    );
  }
  return { kind: 'hmac', key: createSecretKey(bytes), publicKey: undefined };
}

function parsePrivate(base64: string): ParsedSecret {
  const bytes = parseBase64(base64);
  if (bytes.length !== seedBytes && bytes.length !== 2 * seedBytes) {
    throw invalid(
      `the private key has ${bytes.length} bytes; it must have ${seedBytes} or ${2 * seedBytes}`,
    );
  }
  const key = toPrivateKey(bytes.subarray(0, seedBytes));
  const publicKey = publicBytes(key);
  if (bytes.length > seedBytes && !publicKey.equals(bytes.subarray(seedBytes))) {
    throw invalid('the public key does not belong to the private key before it');
  }
  return { kind: 'ed25519', key, publicKey: publicPrefix + publicKey.toString('base64') };
}

/**
 * Parses standard base64 with padding. The result is compared with the text, because Node's decoder
 * skips characters that it does not know.
 */
function parseBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw invalid('the part of the secret after its prefix is not base64 with padding');
  }
  return bytes;
}

function toPrivateKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' });
}

function publicBytes(privateKey: KeyObject): Buffer {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new PlatformError('INTERNAL', 'the ed25519 key has no public key');
  return Buffer.from(x, 'base64url');
}

function invalid(message: string): PlatformError {
  return new PlatformError('SECRET_INVALID', message);
}
