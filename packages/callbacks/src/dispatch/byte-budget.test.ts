import { expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.js';

it('gives room until there is none, and what comes free to those that wait, in order', async () => {
  const room = new ByteBudget(100);
  const taken: string[] = [];
  const take = async (owner: string, bytes: number): Promise<void> => {
    if (await room.acquire(owner, bytes, 5_000)) taken.push(owner);
  };
  const takes = ['a', 'b', 'c', 'd'].map((owner) => take(owner, 25));
  takes.push(take('large', 60), take('small', 10));
  await Promise.all(takes.slice(0, 4));
  expect(taken).toEqual(['a', 'b', 'c', 'd']);
  for (const owner of ['a', 'b']) room.release(owner, 25);
  await new Promise(setImmediate);
  expect(taken).toHaveLength(4);
  room.release('c', 25);
  await Promise.all(takes);
  expect(taken.slice(4)).toEqual(['large', 'small']);
  expect(room.used).toBe(95);
});

it('keeps an owner to its share, and lets others pass', async () => {
  const room = new ByteBudget(100);
  expect(await room.acquire('slow', 40, 0)).toBe(true);
  const more = room.acquire('slow', 40, 5_000);
  expect(await room.acquire('other', 20, 0)).toBe(true);
  expect(room.used).toBe(60);
  room.release('slow', 40);
  expect(await more).toBe(true);
});

it('lets what is larger than all of it have it alone', async () => {
  const room = new ByteBudget(100);
  expect(await room.acquire('a', 1_000, 0)).toBe(true);
  expect(await room.acquire('b', 1, 0)).toBe(false);
  room.release('a', 1_000);
  expect(await room.acquire('b', 1, 0)).toBe(true);
});

it('does not let those wait for one that has given up', async () => {
  const room = new ByteBudget(100);
  await room.acquire('a', 50, 0);
  const large = room.acquire('large', 80, 10);
  const small = room.acquire('small', 20, 5_000);
  expect(await large).toBe(false);
  expect(await small).toBe(true);
});
