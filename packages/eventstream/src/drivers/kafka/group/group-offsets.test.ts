import { describe, expect, it } from 'vitest';
import { offsetBeginning, offsetEnd } from '../../../driver.js';
import { toStartOffset } from './group-offsets.js';

const range = { first: 10n, end: 20n };

describe('where reading begins without a committed offset', () => {
  it.each([
    ['the end', offsetEnd, 20n],
    ['the beginning', offsetBeginning, 10n],
    ['a number', 15n, 15n],
    ['a number whose record is gone: the oldest kept one', 3n, 10n],
    ['a number that is not reached yet: the end', 99n, 20n],
  ])('is %s', (_, startOffset, expected) => {
    expect(toStartOffset(startOffset, range, false)).toBe(expected);
  });

  it('is the beginning in a partition that appeared after the subscription', () => {
    expect(toStartOffset(offsetEnd, range, true)).toBe(10n);
  });
});
