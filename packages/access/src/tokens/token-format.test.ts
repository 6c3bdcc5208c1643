import { newId } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { deriveKey } from '../derived-key.js';
import { maxTokenLength, signToken, type TokenPayload, verifyToken } from './token-format.js';

const secretKey = Buffer.alloc(32, 7);
const key = deriveKey(secretKey, 'short-lived tokens');
const payload: TokenPayload = {
  id: newId(),
  name: 'portal «ä»',
  parent: { kind: 'key', id: newId() },
  applications: ['shop', '', 'größe'],
  scopes: ['callbacks:read'],
  expiresAt: 2_000_000_000,
};
const token = signToken(payload, key);

describe('short-lived tokens', () => {
  it('carry their payload, signed', () => {
    expect(token).toMatch(/^pht_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
    expect(verifyToken(token, key)).toEqual(payload);
    const forAll = { ...payload, applications: 'all' } as const;
    expect(verifyToken(signToken(forAll, key), key)).toEqual(forAll);
  });

  it('are refused with every single character changed', () => {
    for (let index = 0; index < token.length; index += 1) {
      const other = token[index] === 'A' ? 'B' : 'A';
      const changed = token.slice(0, index) + other + token.slice(index + 1);
      expect(verifyToken(changed, key)).toBeUndefined();
    }
  });

  it('are refused when they were signed with another key, or for another use', () => {
    const others = [
      deriveKey(Buffer.alloc(32, 8), 'short-lived tokens'),
      deriveKey(secretKey, 'sign-in cookies'),
      secretKey,
      Buffer.alloc(0),
    ];
    for (const other of others) expect(verifyToken(signToken(payload, other), key)).toBeUndefined();
  });

  it.each([
    '',
    'pht_',
    'pht_.',
    `pht_e30.${'A'.repeat(43)}`,
    `${token}A`,
    `${token}\n`,
    ` ${token}`,
    token.replace('pht_', 'phk_'),
    token.replace('.', '..'),
    `pht_${'A'.repeat(10_000_000)}.${'A'.repeat(43)}`,
  ])('cannot be %.20j', (text) => {
    expect(verifyToken(text, key)).toBeUndefined();
  });

  it('have a bounded length', () => {
    const long = signToken({ ...payload, name: 'x'.repeat(maxTokenLength) }, key);
    expect(verifyToken(long, key)).toBeUndefined();
  });

  it('are refused with a scope that this release does not know', () => {
    const scopes = ['moon:write'] as unknown as TokenPayload['scopes'];
    expect(verifyToken(signToken({ ...payload, scopes }, key), key)).toBeUndefined();
  });
});
