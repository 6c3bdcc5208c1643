import { describe, expect, it } from 'vitest';
import { FilterBudget } from './filter-budget.js';

describe('the budget of filters', () => {
  it('is used up by one application, and left to others', () => {
    let now = 0;
    const budget = new FilterBudget({ msPerSecond: 20, now: () => now });
    expect(budget.left('shop')).toBe(100);
    budget.charge('shop', 130);
    expect(budget.left('shop')).toBe(-30);
    expect(budget.left('bank')).toBe(100);
    now += 1_500;
    expect(budget.left('shop')).toBe(0);
    now += 1_000;
    expect(budget.left('shop')).toBe(20);
  });

  it('saves five seconds, and no more', () => {
    let now = 0;
    const budget = new FilterBudget({ msPerSecond: 20, now: () => now });
    budget.charge('shop', 10);
    now += 3_600_000;
    expect(budget.left('shop')).toBe(100);
  });
});
