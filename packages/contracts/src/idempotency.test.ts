import { describe, expect, it } from 'vitest';
import { idempotencyKeyReused, isIdempotencyKey, toItemClaim } from './idempotency.js';

describe('an Idempotency-Key', () => {
  it.each(['k', `!${'~'.repeat(255)}`])('may be %j', (key) => {
    expect(isIdempotencyKey(key)).toBe(true);
  });

  it.each(['', 'a b', 'a\tb', 'a\n', 'ä', 'x'.repeat(257)])('cannot be %j', (key) => {
    expect(isIdempotencyKey(key)).toBe(false);
  });

  it('gives each item of a list a key that no request can send', () => {
    const bodyHash = new Uint8Array(32);
    const items = [0, 1].map((index) => toItemClaim({ key: 'k', bodyHash }, index));
    expect(new Set(items.map(({ key }) => key)).size).toBe(2);
    for (const item of items) {
      expect(isIdempotencyKey(item.key)).toBe(false);
      expect(item.bodyHash).toBe(bodyHash);
    }
  });

  it('that was used for another body is refused as a conflict', () => {
    const error = idempotencyKeyReused('topic');
    expect([error.code, error.httpStatus]).toEqual(['IDEMPOTENCY_KEY_REUSED', 409]);
    expect(error.message).toContain('in this topic');
  });
});
