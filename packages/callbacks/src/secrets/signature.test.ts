import { createPublicKey, verify } from 'node:crypto';
import { PlatformError } from '@posthaste/contracts';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { generateSecret, parseSecret, type SecretKind, sign } from './signature.js';

const id = '0197e5a0-0000-7000-8000-000000000001';
const body = Buffer.from('{"order":7,"text":"größer – 日本"}');
const now = (): number => Math.floor(Date.now() / 1_000);

function headers(timestampSeconds: number, signature: string): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  };
}

function verifyEd25519(signature: string, message: Buffer, publicKey: string): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, message, key, Buffer.from(signature.slice('v1a,'.length), 'base64'));
}

describe('signatures', () => {
  it('are accepted by the reference library', () => {
    const secret = generateSecret();
    const timestampSeconds = now();
    const signature = sign({ id, timestampSeconds, body, keys: [parseSecret(secret)] });
    const webhook = new Webhook(secret);
    expect(webhook.verify(body, headers(timestampSeconds, signature))).toEqual(
      JSON.parse(body.toString()),
    );
    expect(() => webhook.verify(`${body} `, headers(timestampSeconds, signature))).toThrow(
      WebhookVerificationError,
    );
  });

  it('equal those of the reference library, whatever the length of the secret', () => {
    for (const length of [24, 32, 64]) {
      const secret = `whsec_${Buffer.alloc(length, length).toString('base64')}`;
      const expected = new Webhook(secret).sign(id, new Date(1_700_000_000_000), body);
      const keys = [parseSecret(secret)];
      expect(sign({ id, timestampSeconds: 1_700_000_000, body, keys })).toBe(expected);
    }
  });

  it('are made for every active key, and each receiver finds its own', () => {
    const secrets = [generateSecret(), generateSecret()];
    const timestampSeconds = now();
    const signature = sign({ id, timestampSeconds, body, keys: secrets.map(parseSecret) });
    expect(signature.split(' ')).toHaveLength(2);
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(body, headers(timestampSeconds, signature))).toBeDefined();
    }
  });

  it('with ed25519 are verified by the public key', () => {
    const parsed = parseSecret(generateSecret('ed25519'));
    const signature = sign({ id, timestampSeconds: 1_700_000_000, body, keys: [parsed] });
    expect(signature).toMatch(/^v1a,/);
    const message = Buffer.concat([Buffer.from(`${id}.1700000000.`), body]);
    expect(verifyEd25519(signature, message, parsed.publicKey ?? '')).toBe(true);
    message[0] = 0;
    expect(verifyEd25519(signature, message, parsed.publicKey ?? '')).toBe(false);
  });

  it('are empty without keys', () => {
    expect(sign({ id, timestampSeconds: 1, body, keys: [] })).toBe('');
  });
});

describe('secrets', () => {
  it.each<SecretKind>(['hmac', 'ed25519'])('of kind %s can be generated and parsed', (kind) => {
    const text = generateSecret(kind);
    expect(parseSecret(text).kind).toBe(kind);
    expect(generateSecret(kind)).not.toBe(text);
  });

  it('of ed25519 may be a seed alone, with the public key of RFC 8032', () => {
    const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
    const parsed = parseSecret(`whsk_${Buffer.from(seed, 'hex').toString('base64')}`);
    expect(parsed.publicKey).toBe(`whpk_${Buffer.from(publicKey, 'hex').toString('base64')}`);
  });

  it.each([
    ['', 'nothing'],
    ['hello', 'no prefix'],
    ['whsec_', 'no key'],
    [`whsec_${Buffer.alloc(23).toString('base64')}`, 'too short'],
    [`whsec_${Buffer.alloc(65).toString('base64')}`, 'too long'],
    [`whsec_${Buffer.alloc(32).toString('base64')}!`, 'junk'],
    [`whsec_${Buffer.alloc(32).toString('base64url').replace('=', '')}`, 'no padding'],
    [`whsec_${Buffer.alloc(32, 0xff).toString('base64url')}`, 'base64url'],
    [`whsk_${Buffer.alloc(33).toString('base64')}`, 'wrong length'],
    [`whsk_${Buffer.alloc(64).toString('base64')}`, 'public key of another'],
    [`whpk_${Buffer.alloc(32).toString('base64')}`, 'a public key'],
  ])('%j is refused: %s', (text) => {
    const error = expectError(() => parseSecret(text));
    expect(error.code).toBe('SECRET_INVALID');
    if (text.length > 10) expect(error.message).not.toContain(text.slice(6));
  });
});

function expectError(work: () => unknown): PlatformError {
  try {
    work();
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
