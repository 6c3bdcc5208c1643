import { newId } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { hashSecret, newSecret, parseToken, toToken } from './api-token.js';

describe('API tokens', () => {
  it('carry the id of their key and its secret', () => {
    const id = newId();
    const secret = newSecret();
    const token = toToken({ id, secret });
    expect(token).toMatch(/^phk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/);
    expect(parseToken(token)).toEqual({ id, secret });
  });

  it('have a new secret each time', () => {
    expect(newSecret()).not.toBe(newSecret());
  });

  it.each([
    '',
    'phk_',
    'Bearer x',
    `phk_${'0'.repeat(32)}_${'a'.repeat(42)}`,
    `phk_${'0'.repeat(32)}_${'a'.repeat(44)}`,
    `phk_${'g'.repeat(32)}_${'a'.repeat(43)}`,
    `PHK_${'0'.repeat(32)}_${'a'.repeat(43)}`,
    `phk_${'0'.repeat(32)}_${'a'.repeat(43)}\n`,
    `phk_${'0'.repeat(32)}_${'a'.repeat(42)}'`,
  ])('cannot be %j', (text) => {
    expect(parseToken(text)).toBeUndefined();
  });

  it('are kept as a hash of 32 bytes', () => {
    const secret = newSecret();
    expect(hashSecret(secret)).toHaveLength(32);
    expect(hashSecret(secret)).toEqual(hashSecret(secret));
  });
});
