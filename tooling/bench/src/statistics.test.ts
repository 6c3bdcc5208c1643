import { describe, expect, it } from 'vitest';
import { median, medians, percentile } from './statistics.js';

describe('percentile', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);

  it('is the smallest value that enough values do not exceed', () => {
    expect([0, 1, 50, 99, 99.9, 100].map((percent) => percentile(values, percent))).toEqual([
      1, 1, 50, 99, 100, 100,
    ]);
  });

  it('is NaN without values', () => {
    expect(percentile([], 50)).toBeNaN();
  });
});

describe('median', () => {
  it('is the middle value, or the lower of two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2);
  });

  it('is taken separately for each field', () => {
    const runs = [
      { rate: 1, cpu: 30 },
      { rate: 2, cpu: 10 },
      { rate: 3, cpu: 20 },
    ] as const;
    expect(medians<{ rate: number; cpu: number }>(runs)).toEqual({ rate: 2, cpu: 20 });
  });
});
