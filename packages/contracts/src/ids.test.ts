import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlatformError } from './errors/errors.js';
import { createIdSource, idLowerBound, idTime, newId, parseId, toCompactId } from './ids.js';

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const moment = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const maxMs = 2 ** 48 - 1;

/** A clock that shows the given times one after another, and stays at the last. */
function scriptedClock(times: readonly number[]): () => number {
  let next = 0;
  return () => times[Math.min(next++, times.length - 1)] ?? 0;
}

function take(count: number, source: () => string): string[] {
  return Array.from({ length: count }, source);
}

function isIncreasing(ids: readonly string[]): boolean {
  return ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? ''));
}

describe('createIdSource', () => {
  it('makes UUIDs of version 7 and variant 10', () => {
    for (const id of take(2_000, createIdSource())) expect(id).toMatch(uuidV7);
  });

  it('writes the milliseconds of the clock into the first 48 bits', () => {
    expect(idTime(createIdSource(() => moment)()).getTime()).toBe(moment);
    expect(createIdSource(() => maxMs)()).toMatch(/^ffffffff-ffff-7/);
  });

  it('increases within one millisecond, also past the end of its counter', () => {
    const ids = take(
      300_000,
      createIdSource(() => moment),
    );
    expect(isIncreasing(ids)).toBe(true);
    expect(idTime(ids.at(-1) ?? '').getTime()).toBe(moment + 1);
  });

  it('increases when the clock is set back or stands still', () => {
    const times = fc.array(fc.integer({ min: -10, max: 50 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(times, (steps) => {
        const ids = take(steps.length, createIdSource(scriptedClock(steps)));
        expect(isIncreasing(ids)).toBe(true);
        for (const id of ids) expect(id).toMatch(uuidV7);
      }),
    );
  });

  it('keeps its last time while the clock is behind it', () => {
    const source = createIdSource(scriptedClock([moment, moment - 60_000, moment + 1]));
    expect(take(3, source).map((id) => idTime(id).getTime())).toEqual([moment, moment, moment + 1]);
  });

  it('accepts a clock with fractions of a millisecond', () => {
    expect(idTime(createIdSource(() => moment + 0.75)()).getTime()).toBe(moment);
  });

  it('never repeats its random part, and does not use it in the counter', () => {
    const ids = take(1_000, createIdSource(scriptedClock([moment])));
    expect(new Set(ids.map((id) => id.slice(21))).size).toBe(ids.length);
  });
});

describe('newId', () => {
  it('increases within the process', () => {
    expect(isIncreasing(take(10_000, newId))).toBe(true);
  });
});

describe('parseId', () => {
  it('parses every spelling of an id', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        for (const text of [id, toCompactId(id), id.toUpperCase(), toCompactId(id).toUpperCase()]) {
          expect(parseId(text)).toBe(id);
        }
      }),
    );
  });

  it.each([
    '',
    'x',
    '0'.repeat(31),
    '0'.repeat(33),
    `${'0'.repeat(8)}-${'0'.repeat(24)}`,
    ' ',
    '{}',
  ])('finds no id in %j', (text) => {
    expect(parseId(text)).toBeUndefined();
  });
});

describe('idLowerBound', () => {
  it('is above every id made before the moment and below every id made at it or later', () => {
    const ms = fc.integer({ min: 1, max: maxMs });
    fc.assert(
      fc.property(ms, (time) => {
        const bound = idLowerBound(new Date(time));
        expect(bound).toMatch(uuidV7);
        expect(createIdSource(() => time - 1)() < bound).toBe(true);
        expect(createIdSource(() => time)() >= bound).toBe(true);
        expect(idTime(bound).getTime()).toBe(time);
      }),
    );
  });

  it.each([-1, maxMs + 1, Number.NaN])('refuses the moment %s', (ms) => {
    expect(() => idLowerBound(new Date(ms))).toThrow(PlatformError);
  });
});

describe('idTime', () => {
  it.each(['', 'no id', '9b2e4c1a-6a3e-4b0e-9d55-0d3b6f1f7d10'])('refuses %j', (text) => {
    expect(() => idTime(text)).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
  });
});
