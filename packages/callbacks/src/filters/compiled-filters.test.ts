import { describe, expect, it } from 'vitest';
import { CompiledFilters } from './compiled-filters.js';
import { toFilterData } from './filter-compiler.js';

const textOf = (n: number): string => JSON.stringify({ minProperties: n });

describe('compiled filters', () => {
  it('are analysed and compiled when they are needed, and kept', () => {
    const filters = new CompiledFilters();
    const first = filters.find('shop', textOf(1));
    expect(first.costWork).toBe(textOf(1).length);
    expect(first.compileWork).toBe(first.cost.compile);
    expect(first.costWork).toBe(0);
    expect([{}, { a: 1 }].map((data) => first.matches(toFilterData(data)))).toEqual([false, true]);
    expect(first.compileWork).toBe(0);
    expect(filters.find('shop', textOf(1))).toBe(first);
  });

  it('are kept up to a number for each application, those used last', () => {
    const filters = new CompiledFilters(2);
    const [one, two] = [filters.find('shop', textOf(1)), filters.find('shop', textOf(2))];
    filters.find('shop', textOf(1));
    filters.find('shop', textOf(3));
    expect(filters.find('shop', textOf(1))).toBe(one);
    expect(filters.find('shop', textOf(2))).not.toBe(two);
  });

  it('of one application do not push out those of another one', () => {
    const filters = new CompiledFilters(10, 6);
    const kept = [1, 2, 3].map((n) => filters.find('bank', textOf(n)));
    for (let n = 0; n < 50; n += 1) filters.find('shop', textOf(n));
    expect([1, 2, 3].map((n) => filters.find('bank', textOf(n)))).toEqual(kept);
    expect(kept.every((filter, n) => filter === filters.find('bank', textOf(n + 1)))).toBe(true);
  });
});
