import { expect, it } from 'vitest';
import { ratioBars, toRateSection } from './rate-section.js';
import type { RateResult } from './rounds.js';

const result = (...rates: number[]): RateResult => ({
  medians: { perSecond: rates[0] ?? 0, clientCpuUs: 5, storeCpuUs: Number.NaN },
  runs: rates.map((perSecond) => ({ perSecond, clientCpuUs: 5, storeCpuUs: Number.NaN })),
});
const toCase = (name: string) => ({
  contender: { name, settings: { batchSize: 100 } },
  measure: () => Promise.reject(new Error('not asked for')),
});
const results = new Map([['ours', result(300, 100)]]);

it('compares our rate with that of a peer', () => {
  const both = new Map([...results, ['theirs', result(200)]]);
  const bars = ratioBars(both, { ours: 'ours', peer: 'theirs', limit: 0.9 });
  expect(bars).toMatchObject([{ what: 'times the rate of theirs', value: 1.5, limit: 0.9 }]);
});

it('has no bar for a peer that was not measured', () => {
  expect(ratioBars(results, { ours: 'ours', peer: 'theirs', limit: 0.9 })).toEqual([]);
});

it('has a line for each contender, and marks CPU times that are not visible', () => {
  const section = toRateSection({
    id: 'publish',
    title: 'Published',
    unit: 'events/s',
    store: 'broker',
    cases: [toCase('ours'), toCase('theirs')],
    results,
    bars: [],
    notes: [],
  });
  expect(section.rows).toEqual([
    ['ours', 300, '100–300', 5, 'not visible', 'batchSize 100'],
    ['theirs', 'not measured', '', '', '', ''],
  ]);
});
