import { describe, expect, it } from 'vitest';
import { toHeaderList, toHeaderTexts, toRawHeaders } from './record-headers.js';

const text = (name: string, value: string): { name: string; value: Buffer } => ({
  name,
  value: Buffer.from(value),
});

describe('toRawHeaders', () => {
  it('returns nothing for headers that texts by name hold', () => {
    expect(toRawHeaders([])).toBeUndefined();
    expect(toRawHeaders([text('a', '1'), text('b', 'é'), text('', '')])).toBeUndefined();
  });

  it.each([
    ['a name that comes twice', [text('a', '1'), text('a', '1')]],
    ['null', [text('a', '1'), { name: 'b', value: null }]],
    ['bytes that are not UTF-8', [{ name: 'a', value: Buffer.of(0xff) }]],
    ['an order that an object does not keep', [text('b', '1'), text('7', '2')]],
    ['the name __proto__', [text('__proto__', '1')]],
  ])('returns headers with %s', (_, list) => {
    expect(toRawHeaders(list)).toBe(list);
  });
});

describe('toHeaderTexts', () => {
  it('has the last value of a name, without null', () => {
    const list = [text('a', '1'), text('a', '2'), { name: 'a', value: null }];
    expect(toHeaderTexts(list)).toEqual({ a: '2' });
  });
});

describe('toHeaderList', () => {
  it('returns the raw headers, or else the texts', () => {
    const rawHeaders = [text('a', '1'), text('a', '2')];
    expect(toHeaderList({ headers: { a: '2' }, rawHeaders })).toBe(rawHeaders);
    expect(toHeaderList({ headers: { a: '2' } })).toEqual([text('a', '2')]);
  });
});
