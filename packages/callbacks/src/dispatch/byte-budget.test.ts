import { expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.js';

it('hands out bytes until there are none, and freed ones to those that wait, in order', async () => {
  const budget = new ByteBudget(100);
  const acquired: string[] = [];
  const acquire = async (owner: string, bytes: number): Promise<void> => {
    if (await budget.acquire(owner, bytes, 5_000)) acquired.push(owner);
  };
  const acquiring = ['a', 'b', 'c', 'd'].map((owner) => acquire(owner, 25));
  acquiring.push(acquire('large', 60), acquire('small', 10));
  await Promise.all(acquiring.slice(0, 4));
  expect(acquired).toEqual(['a', 'b', 'c', 'd']);
  for (const owner of ['a', 'b']) budget.release(owner, 25);
  await new Promise(setImmediate);
  expect(acquired).toHaveLength(4);
  budget.release('c', 25);
  await Promise.all(acquiring);
  expect(acquired.slice(4)).toEqual(['large', 'small']);
  expect(budget.used).toBe(95);
});

it('keeps an owner to its share, and lets others go first', async () => {
  const budget = new ByteBudget(100);
  expect(await budget.acquire('slow', 40, 0)).toBe(true);
  const more = budget.acquire('slow', 40, 5_000);
  expect(await budget.acquire('other', 20, 0)).toBe(true);
  expect(budget.used).toBe(60);
  budget.release('slow', 40);
  expect(await more).toBe(true);
});

it('lets something larger than the budget have it alone', async () => {
  const budget = new ByteBudget(100);
  expect(await budget.acquire('a', 1_000, 0)).toBe(true);
  expect(await budget.acquire('b', 1, 0)).toBe(false);
  budget.release('a', 1_000);
  expect(await budget.acquire('b', 1, 0)).toBe(true);
});

it('does not let others wait for one that has given up', async () => {
  const budget = new ByteBudget(100);
  await budget.acquire('a', 50, 0);
  const large = budget.acquire('large', 80, 10);
  const small = budget.acquire('small', 20, 5_000);
  expect(await large).toBe(false);
  expect(await small).toBe(true);
});
