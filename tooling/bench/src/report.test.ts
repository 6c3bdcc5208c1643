import { describe, expect, it } from 'vitest';
import { type Bar, isMet, renderSection, type Section, toJson } from './report.js';

const bar = (relation: Bar['relation'], value: number): Bar => ({
  what: 'share',
  value,
  relation,
  limit: 0.5,
});

const section: Section = {
  id: 'rate',
  title: 'Rate',
  columns: ['contender', 'delivered/s'],
  rows: [
    ['ours', 28_104.4],
    ['theirs', 9.8765],
  ],
  bars: [bar('at least', 0.25)],
  notes: ['A note.'],
};

describe('isMet', () => {
  it.each([
    ['at least', 0.5, true],
    ['at least', 0.49, false],
    ['at most', 0.5, true],
    ['at most', 0.51, false],
    ['under', 0.5, false],
    ['under', 0.49, true],
    ['at least', Number.NaN, false],
  ] as const)('%s 0.5 for %d is %s', (relation, value, expected) => {
    expect(isMet(bar(relation, value))).toBe(expected);
  });
});

describe('renderSection', () => {
  it('writes Markdown tables with aligned columns', () => {
    expect(renderSection(section).split('\n')).toEqual([
      '## Rate',
      '',
      '| contender | delivered/s |',
      '| --------- | ----------: |',
      '| ours      |      28,104 |',
      '| theirs    |        9.88 |',
      '',
      '| bar   | measured | required     |      |',
      '| ----- | -------: | ------------ | ---- |',
      '| share |     0.25 | at least 0.5 | FAIL |',
      '',
      'A note.',
    ]);
  });
});

describe('toJson', () => {
  it('names the cells and evaluates the bars', () => {
    expect(toJson(section)).toMatchObject({
      rows: [{ contender: 'ours', 'delivered/s': 28_104.4 }, { contender: 'theirs' }],
      bars: [{ value: 0.25, limit: 0.5, isMet: false }],
    });
  });
});
