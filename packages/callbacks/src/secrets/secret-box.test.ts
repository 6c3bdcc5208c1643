import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSecretBox, parseMasterKey } from './secret-box.js';

const key = randomBytes(32);

describe('a secret box', () => {
  it('opens what it sealed, and seals the same text differently each time', () => {
    const box = createSecretBox(key);
    const sealed = box.seal('whsec_größer', 'shop/orders');
    expect(box.open(sealed, 'shop/orders')).toBe('whsec_größer');
    expect(sealed.includes('whsec_')).toBe(false);
    expect(box.seal('whsec_größer', 'shop/orders')).not.toEqual(sealed);
  });

  it('opens with an old key, and seals with the new one', () => {
    const old = createSecretBox(key).seal('text', 'a');
    const newKey = randomBytes(32);
    const box = createSecretBox(newKey, [key]);
    expect(box.open(old, 'a')).toBe('text');
    expect(createSecretBox(newKey).open(box.seal('text', 'a'), 'a')).toBe('text');
  });

  it('opens with any of many old keys, although their ids are one byte', () => {
    const keys = Array.from({ length: 600 }, () => randomBytes(32));
    const box = createSecretBox(key, keys);
    for (const old of keys) {
      expect(box.open(createSecretBox(old).seal('text', 'a'), 'a')).toBe('text');
    }
  });

  it('refuses another key, another owner, and a text that was changed or cut', () => {
    const box = createSecretBox(key);
    const sealed = box.seal('text', 'a');
    const unreadable = expect.objectContaining({ code: 'SECRET_UNREADABLE' });
    expect(() => createSecretBox(randomBytes(32)).open(sealed, 'a')).toThrow(unreadable);
    expect(() => box.open(sealed, 'b')).toThrow(unreadable);
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed);
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(() => box.open(changed, 'a')).toThrow(unreadable);
      expect(() => box.open(sealed.subarray(0, i), 'a')).toThrow(unreadable);
    }
  });
});

describe('a master key', () => {
  it.each(['hex', 'base64', 'base64url'] as const)('is read from %s', (encoding) => {
    expect(parseMasterKey(` ${key.toString(encoding)}\n`)).toEqual(key);
  });

  it.each([
    '',
    'secret',
    key.toString('hex').slice(1),
    `${key.toString('base64')}=`,
    'z'.repeat(64),
  ])('%j is refused without being repeated', (text) => {
    const refused = expect.objectContaining({
      code: 'OPTION_INVALID',
      message: 'a master key must be 32 bytes, as hex or base64',
    });
    expect(() => parseMasterKey(text)).toThrow(refused);
  });

  it('of another length is refused', () => {
    const refused = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => createSecretBox(randomBytes(16))).toThrow(refused);
    expect(() => createSecretBox(key, [randomBytes(33)])).toThrow(refused);
  });
});
