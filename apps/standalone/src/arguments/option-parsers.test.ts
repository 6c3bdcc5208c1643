import { describe, expect, it } from 'vitest';
import { parseMoment } from './option-parsers.js';

describe('parsing a time', () => {
  it.each([
    ['2030-01-31T12:00:00+01:00', '2030-01-31T11:00:00.000Z'],
    ['2030-01-31', '2030-01-31T00:00:00.000Z'],
  ])('accepts %s', (text, expected) => {
    expect(parseMoment(text)).toBe(expected);
  });

  it.each([
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('reads %s as that long before now', (text, ms) => {
    expect(Math.abs(Date.now() - ms - Date.parse(parseMoment(text)))).toBeLessThan(1_000);
  });

  it.each(['', 'yesterday', '10', '10 m', '-5m', '1969-12-31'])('refuses %j', (text) => {
    expect(() => parseMoment(text)).toThrow('It must be a time');
  });
});
