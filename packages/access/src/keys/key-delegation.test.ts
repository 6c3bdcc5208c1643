import { describe, expect, it } from 'vitest';
import { toDelegatedKey } from './key-delegation.js';

const end = new Date('2030-01-01T00:00:00Z');
const later = new Date('2030-01-01T00:00:01Z');
const bound = { scopes: ['admin'], applications: ['a', 'b'], expiresAt: end } as const;
const forAll = { scopes: ['admin'], applications: 'all', expiresAt: null } as const;
const key = { name: 'key', scopes: ['events:read'] } as const;
const code = 'KEY_EXCEEDS_CREATOR';

describe('a key that somebody creates', () => {
  it('has the applications and the end of its creator, unless others are asked for', () => {
    expect(toDelegatedKey(key, bound)).toEqual({
      ...key,
      applications: ['a', 'b'],
      channels: null,
      expiresAt: end,
    });
    expect(toDelegatedKey(key, forAll)).toEqual({
      ...key,
      ...{ applications: 'all', channels: null, expiresAt: null },
    });
  });

  it('may have a part of the scopes, applications and time', () => {
    const asked = { ...key, applications: ['b'], channels: ['/a'], expiresAt: new Date(0) };
    expect(toDelegatedKey(asked, bound)).toEqual(asked);
    expect(toDelegatedKey({ ...key, expiresAt: later }, forAll)).toMatchObject({
      expiresAt: later,
    });
  });

  it('may not have more', () => {
    const reader = { ...bound, scopes: ['events:read', 'queues:read'] } as const;
    expect(toDelegatedKey({ ...key, scopes: ['queues:read'] }, reader)).toBeDefined();
    const attempts = [
      () => toDelegatedKey({ ...key, scopes: ['events:read', 'admin'] }, reader),
      () => toDelegatedKey({ ...key, scopes: ['events:write'] }, reader),
      () => toDelegatedKey({ ...key, applications: ['a', 'c'] }, bound),
      () => toDelegatedKey({ ...key, applications: ['A'] }, bound),
      () => toDelegatedKey({ ...key, applications: 'all' }, bound),
      () => toDelegatedKey({ ...key, channels: ['/b'] }, { ...bound, channels: ['/a'] }),
      () => toDelegatedKey({ ...key, expiresAt: null }, bound),
      () => toDelegatedKey({ ...key, expiresAt: later }, bound),
    ];
    for (const attempt of attempts) {
      expect(attempt).toThrow(expect.objectContaining({ code }));
    }
  });
});
