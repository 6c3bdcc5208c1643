import { describe, expect, it } from 'vitest';
import { isCompactUuid4, newEventId } from './event-id.js';

describe('newEventId', () => {
  it('is a UUID v4 without hyphens, in lower case', () => {
    const ids = Array.from({ length: 1_000 }, newEventId);
    expect(ids.every(isCompactUuid4)).toBe(true);
    expect(new Set(ids).size).toBe(1_000);
  });

  it.each([
    '',
    '3671efef-876b-4133-897d-79134e936cd9',
    '3671EFEF876B4133897D79134E936CD9',
    '3671efef876b7133897d79134e936cd9',
    '3671efef876b4133c97d79134e936cd9',
    '3671efef876b4133897d79134e936cd',
    7,
  ])('does not produce ids such as %j', (id) => {
    expect(isCompactUuid4(id)).toBe(false);
  });
});
