import { newId, parseJsonWithDigits, stringifyExactJson } from '@posthaste/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSecret, toToken } from '../keys/api-token.js';
import { maskSecrets } from './mask-secrets.js';

/** Random text that no test writes elsewhere. */
const secretText = fc
  .uint8Array({ minLength: 24, maxLength: 48 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'));

/** Text in the form of a secret that the platform makes or stores, with the part that must not show. */
const secretForm = fc.oneof(
  secretText.map((text) => ({ shown: `whsec_${text}`, secret: text })),
  fc
    .uint8Array({ minLength: 24, maxLength: 64 })
    .map((bytes) => Buffer.from(bytes).toString('base64'))
    .map((text) => ({ shown: `whsec_${text}`, secret: text.replace(/=+$/, '') })),
  secretText.map((text) => ({ shown: `whsk_${text}`, secret: text })),
  fc.constant(0).map(() => {
    const secret = newSecret();
    return { shown: toToken({ id: newId(), secret }), secret };
  }),
  secretText.map((text) => ({ shown: `Bearer ${text}`, secret: text })),
  secretText.map((text) => ({ shown: `Basic ${text}`, secret: text })),
  secretText.map((text) => ({ shown: `eyJhbGciOiJIUzI1NiJ9.eyJ${text}.${text}`, secret: text })),
  secretText.map((text) => ({ shown: `https://a.example/hook?k=${text}`, secret: text })),
  secretText.map((text) => ({ shown: `https://a.example/hook#${text}`, secret: text })),
  secretText.map((text) => ({ shown: `postgres://user:${text}@db.example/x`, secret: text })),
  secretText.map((text) => ({
    shown: `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----`,
    secret: text,
  })),
);

/** Name of a member whose value is a secret, whatever it looks like. */
const secretMember = fc.constantFrom(
  ...['secret', 'clientSecret', 'client_secret', 'token', 'accessToken', 'password', 'passwd'],
  ...['authorization', 'Authorization', 'cookie', 'set-cookie', 'apiKey', 'x-api-key', 'api_key'],
  ...['privateKey', 'private_key', 'signingKey', 'secretKey', 'credentials', 'passphrase'],
);

/** Value with a secret somewhere inside. */
const hidden: fc.Arbitrary<{ value: unknown; secret: string }> = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    secretForm.map(({ shown, secret }) => ({ value: shown as unknown, secret })),
    fc
      .tuple(secretForm, fc.string(), fc.string())
      .map(([{ shown, secret }, a, b]) => ({ value: `${a} ${shown} ${b}` as unknown, secret })),
    fc
      .tuple(secretForm, fc.jsonValue())
      .map(([{ shown, secret }, other]) => ({ value: { [shown]: other } as unknown, secret })),
    fc.tuple(secretMember, secretText, fc.boolean()).map(([name, secret, nested]) => ({
      value: { a: 1, [name]: nested ? { deep: [secret] } : secret } as unknown,
      secret,
    })),
    fc
      .tuple(fc.string(), secretText)
      .map(([name, secret]) => ({ value: { headers: { [name]: secret } } as unknown, secret })),
    fc
      .tuple(tie('node') as fc.Arbitrary<{ value: unknown; secret: string }>, fc.string())
      .map(([{ value, secret }, name]) => ({ value: { [name]: value } as unknown, secret })),
    fc
      .tuple(tie('node') as fc.Arbitrary<{ value: unknown; secret: string }>, fc.jsonValue())
      .map(([{ value, secret }, other]) => ({ value: [other, value] as unknown, secret })),
  ),
})).node as fc.Arbitrary<{ value: unknown; secret: string }>;

describe('maskSecrets', () => {
  it('leaves no secret in any value, wherever it is', () => {
    fc.assert(
      fc.property(hidden, ({ value, secret }) => {
        expect(stringifyExactJson(maskSecrets(value))).not.toContain(secret);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps what is no secret, letter for letter', () => {
    const state = parseJsonWithDigits(
      '{"name":"orders","url":"https://example.com/hooks","retry":{"phases":[{"retries":3}]},"publicKey":"whpk_abc","secretKind":"hmac","enabled":true,"nothing":null,"filter":{"properties":{"total":{"minimum":1.50},"id":{"const":18446744073709551616}}},"scopes":["callbacks:read"],"phone_number":"1","monkey":"banana"}',
    );
    expect(stringifyExactJson(maskSecrets(state))).toBe(stringifyExactJson(state));
  });

  it('shows where a secret is and which address has it', () => {
    expect(
      maskSecrets({
        url: 'https://user:pass@example.com/hooks?token=1',
        headers: { authorization: 'x', 'x-tenant': 'y' },
        secret: 'abc',
        password: null,
        note: 'see whsec_abc= or http://a.example/?q=1, and Bearer abcdefghijk',
      }),
    ).toEqual({
      url: 'https://***@example.com/hooks?***',
      headers: { authorization: '***', 'x-tenant': '***' },
      secret: '***',
      password: null,
      note: 'see *** or http://a.example/?*** and Bearer ***',
    });
  });

  it('takes linear time on texts that are made to be slow', () => {
    for (const part of ['a.', 'eyJ-', 'ph_', 'whsec', 'http:/', '-----BEGIN ', 'bearer ', '@/?#']) {
      const startedAt = performance.now();
      maskSecrets({ [part.repeat(500_000)]: part.repeat(500_000) });
      expect(performance.now() - startedAt, part).toBeLessThan(5_000);
    }
  });
});
