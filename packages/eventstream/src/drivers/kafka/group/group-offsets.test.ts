import { describe, expect, it } from 'vitest';
import { offsetBeginning, offsetEnd } from '../../../driver.js';
import { toStartOffset } from './group-offsets.js';

const range = { first: 10n, end: 20n };

describe('the start of a partition without a committed offset', () => {
  it.each([
    ['the end', offsetEnd, 20n],
    ['the beginning', offsetBeginning, 10n],
    ['a number', 15n, 15n],
    ['the oldest record, for a number whose record is deleted', 3n, 10n],
    ['the end, for a number that is not reached yet', 99n, 20n],
  ])('is %s', (_, startOffset, expected) => {
    expect(toStartOffset(startOffset, range, false)).toBe(expected);
  });

  it('is the beginning if the partition was created after the subscription', () => {
    expect(toStartOffset(offsetEnd, range, true)).toBe(10n);
  });
});
