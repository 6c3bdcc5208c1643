import { parseJsonWithDigits } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { FilterPayload } from './filter-payload.js';
import { costOf, sizeOf, workOf } from './filter-work.js';

const keys = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
const workOn = (filter: unknown, payload: unknown): number => {
  const work = workOf(costOf(filter), sizeOf(payload));
  // The shortcut for usual filters and payloads has the same result.
  expect(new FilterPayload(payload).workOf(costOf(filter))).toBe(work);
  return work;
};

describe('the work of a filter', () => {
  it.each([
    { required: ['id'], properties: { id: { type: 'string' }, state: { enum: ['new', 'paid'] } } },
    { properties: { total: { minimum: 100 } }, required: ['total'] },
    { properties: { customer: { properties: { country: { const: 'DE' } } } } },
    { anyOf: [{ required: ['a'] }, { not: { required: ['b'] } }] },
  ])('that looks at some places does not grow with the payload: %j', (filter) => {
    const small = workOn(filter, keys(3));
    expect(small).toBeLessThan(100);
    expect(workOn(filter, { ...keys(50_000), list: Array(50_000).fill('text') })).toBe(small);
  });

  it.each<[name: string, filter: object, payload: object]>([
    ['items', { properties: { l: { items: { minimum: 1 } } } }, { l: Array(1_000).fill(1) }],
    ['contains', { properties: { l: { contains: { const: 1 } } } }, { l: Array(1_000).fill(2) }],
    ['additionalProperties', { additionalProperties: { type: 'integer' } }, keys(1_000)],
    ['propertyNames', { propertyNames: { minLength: 1 } }, keys(1_000)],
    ['minProperties', { minProperties: 1 }, keys(1_000)],
    ['maxProperties', { maxProperties: 5_000 }, keys(1_000)],
    ['const with an object', { const: { a: 1 } }, keys(1_000)],
    ['enum with a list', { properties: { l: { enum: [[1]] } } }, { l: Array(1_000).fill(1) }],
  ])('is that of each value of the payload for %s', (_, filter, payload) => {
    expect(workOn(filter, payload)).toBeGreaterThanOrEqual(1_000);
    const twice = { ...payload, more: Array(1_000).fill(0) };
    expect(workOn(filter, twice)).toBeGreaterThanOrEqual(2_000);
    const all = { allOf: Array(50).fill(filter) };
    expect(workOn(all, payload)).toBeGreaterThan(49 * workOn(filter, payload));
  });

  it('is far above the limit for filters that take seconds', () => {
    const counts = { allOf: Array.from({ length: 150 }, (_, n) => ({ minProperties: n })) };
    expect(workOn(counts, keys(80_000))).toBeGreaterThan(10_000_000);
    const items = { properties: { l: { items: { allOf: Array(130).fill({ minimum: 1 }) } } } };
    expect(workOn(items, { l: Array(340_000).fill(1) })).toBeGreaterThan(100_000_000);
  });

  it('grows with long texts and numbers that it reads', () => {
    const long = `{"text":"${'x'.repeat(160_000)}","n":1}`;
    const payload = parseJsonWithDigits(long);
    expect(workOn({ properties: { n: { minimum: 1 } } }, payload)).toBeLessThan(100);
    expect(workOn({ properties: { text: { minLength: 1 } } }, payload)).toBeGreaterThan(10_000);
    const digits = parseJsonWithDigits(`{"n":1.${'7'.repeat(160_000)}}`);
    expect(workOn({ properties: { n: { minimum: 1 } } }, digits)).toBeGreaterThan(10_000);
    expect(workOn({ properties: { n: { enum: [1, 2] } } }, digits)).toBeGreaterThan(20_000);
    expect(workOn({ required: ['n'] }, digits)).toBeLessThan(100);
  });

  it('counts the names of long keys', () => {
    const filter = { propertyNames: { minLength: 1 } };
    expect(workOn(filter, { ['k'.repeat(160_000)]: 1 })).toBeGreaterThan(10_000);
  });

  it('does not count notes, and counts compiling by the schemas', () => {
    const noted = { title: 'a', description: 'b', examples: Array(50).fill(1) };
    expect(costOf(noted)).toEqual(costOf({}));
    const many = { allOf: Array(100).fill({ type: 'object' }) };
    expect(costOf(many).compile - costOf({}).compile).toBe(400_000);
  });

  it('is measured for payloads of any depth', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(sizeOf(deep)).toEqual({ values: 100_000, longestText: 0, longestNumber: 0 });
  });
});
