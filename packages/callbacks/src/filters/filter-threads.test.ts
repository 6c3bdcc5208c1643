import { afterEach, describe, expect, it } from 'vitest';
import { FilterThreads, type FilterThreadsOptions } from './filter-threads.js';

const open: FilterThreads[] = [];
const start = (options: Partial<FilterThreadsOptions> = {}): FilterThreads => {
  const threads = new FilterThreads({ timeoutMs: 60_000, ...options });
  open.push(threads);
  return threads;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((threads) => threads.close()));
});

const budgetMs = Number.POSITIVE_INFINITY;
const maxWork = Number.POSITIVE_INFINITY;
const request = (filters: readonly object[], data: unknown = { a: 1 }) => ({
  application: 'shop',
  data: JSON.stringify(data),
  filters: filters.map((filter) => JSON.stringify(filter)),
  budgetMs,
  maxWork,
});
/** Takes many seconds: each of the items is checked with each of the schemas. */
const endless = { items: { allOf: Array(120).fill({ not: { multipleOf: 0.077 } }) } };
const long = Array(340_000).fill(1);
const quick = [{ minItems: 1 }, { maxItems: 1 }];

describe('threads that match filters', () => {
  it('answer for each filter, with exact numbers', async () => {
    const threads = start();
    expect(threads.size).toBe(0);
    const filters = [{ required: ['a'] }, { required: ['b'] }, { type: 'string' }];
    const { results, usedMs } = await threads.match(request(filters));
    expect(results).toEqual(['matches', 'differs', 'differs']);
    expect(usedMs).toBeGreaterThanOrEqual(0);
    const exact = {
      ...request([]),
      data: '9007199254740993',
      filters: ['{"const":9007199254740993}'],
    };
    expect((await threads.match(exact)).results).toEqual(['matches']);
    expect((await threads.match({ ...exact, data: '9007199254740992' })).results).toEqual([
      'differs',
    ]);
    expect(threads.size).toBe(1);
  });

  it('are ended by the time limit, and the next request starts another one', async () => {
    const threads = start({ timeoutMs: 4_000, threads: 1 });
    const filters = [...quick, endless, ...quick];
    const ended = threads.match(request(filters, long));
    const next = threads.match(request(quick, [1]));
    expect((await ended).results).toEqual(['matches', 'differs', 'timeout', 'open', 'open']);
    expect((await next).results).toEqual(['matches', 'matches']);
    expect(threads.size).toBe(1);
  });

  it('begin no further filter when the budget is used up', async () => {
    const { results, usedMs } = await start().match({
      ...request([{ items: { multipleOf: 0.01 } }, ...quick], Array(50_000).fill(0.5)),
      budgetMs: 0.001,
    });
    expect(results).toEqual(['matches', 'open', 'open']);
    expect(usedMs).toBeGreaterThan(0);
  });

  it('do not wait for one another', async () => {
    const threads = start({ threads: 2 });
    const first = threads.match(request([endless], long)).catch((error: unknown) => error);
    expect((await threads.match(request(quick, [1]))).results).toEqual(['matches', 'matches']);
    expect(threads.size).toBe(2);
    await threads.close();
    expect(await first).toMatchObject({ code: 'STOPPING' });
  });

  it('go on after a filter that cannot be compiled', async () => {
    const { results } = await start().match(request([{ type: 'nothing' }, { required: ['a'] }]));
    expect(results).toEqual(['failed', 'matches']);
  });

  it('match no longer when they are closed', async () => {
    const threads = start();
    await threads.match(request(quick, [1]));
    await threads.close();
    await threads.close();
    expect(threads.size).toBe(0);
    await expect(threads.match(request(quick, [1]))).rejects.toMatchObject({ code: 'STOPPING' });
  });
});
