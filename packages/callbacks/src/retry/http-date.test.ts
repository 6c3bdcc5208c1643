import { afterEach, expect, it } from 'vitest';
import { parseHttpDate } from './http-date.js';
import { parseRetryAfter } from './retry-after.js';

const nowMs = Date.UTC(2026, 10, 29, 12);
const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

it.each([
  ['Sun, 06 Nov 1994 08:49:37 GMT', '1994-11-06T08:49:37Z'],
  ['Sunday, 06-Nov-94 08:49:37 GMT', '1994-11-06T08:49:37Z'],
  ['Sun Nov  6 08:49:37 1994', '1994-11-06T08:49:37Z'],
  ['Mon Nov 30 00:00:10 2026', '2026-11-30T00:00:10Z'],
  ['Monday, 30-Nov-26 00:00:10 GMT', '2026-11-30T00:00:10Z'],
  ['Monday, 30-Nov-76 00:00:10 GMT', '2076-11-30T00:00:10Z'],
  ['Wednesday, 30-Nov-77 00:00:10 GMT', '1977-11-30T00:00:10Z'],
  ['Sat, 31 Dec 2016 23:59:60 GMT', '2017-01-01T00:00:00Z'],
  ['Thu, 29 Feb 2024 00:00:00 GMT', '2024-02-29T00:00:00Z'],
])('reads %s as %s, whatever the zone of the process', (text, moment) => {
  for (const name of ['UTC', 'America/New_York', 'Asia/Tokyo']) {
    process.env.TZ = name;
    expect(parseHttpDate(text, nowMs)).toBe(Date.parse(moment));
  }
});

it.each([
  '',
  '2026-11-30',
  '2026-11-30T00:00:00Z',
  '11/30/2026',
  'Nov 30 2026',
  '30 Nov 2026 00:00:10 GMT',
  'Mon, 30 Nov 2026 00:00:10',
  'Mon, 30 Nov 2026 00:00:10 EST',
  'Mon, 30 Nov 2026 00:00:10 +0100',
  'Mon, 30 Nov 2026 24:00:00 GMT',
  'Mon, 30 Nov 2026 00:60:00 GMT',
  'Mon, 31 Nov 2026 00:00:10 GMT',
  'Sun, 29 Feb 2026 00:00:00 GMT',
  'Mon, 00 Nov 2026 00:00:00 GMT',
  'Mon Nov 30 00:00:10 2026 GMT',
  'tomorrow',
  '1.5',
  '-1',
  '5s',
  '1e3',
])('does not honour "%s", which is neither seconds nor an HTTP date', (text) => {
  expect(parseRetryAfter(text, undefined, nowMs)).toBeUndefined();
});

it("counts a date from the answer's own Date, if that is an HTTP date", () => {
  const until = 'Sun Nov 29 12:00:30 2026';
  expect(parseRetryAfter(until, undefined, nowMs)).toBe(30_000);
  expect(parseRetryAfter(until, 'Sun, 29 Nov 2026 12:00:20 GMT', nowMs)).toBe(10_000);
  expect(parseRetryAfter(until, 'Sun Nov 29 11:00:00 2026', nowMs)).toBe(3_630_000);
  expect(parseRetryAfter(until, '2026-11-29T11:00:00Z', nowMs)).toBe(30_000);
  expect(parseRetryAfter('Sun Nov 29 11:59:00 2026', undefined, nowMs)).toBe(0);
});

it('reads seconds', () => {
  expect(parseRetryAfter(' 20 ', undefined, nowMs)).toBe(20_000);
});
