import { expect, it } from 'vitest';
import { driverTypes } from './decode-values.js';

function decode(oid: number, text: string): unknown {
  return driverTypes.getTypeParser(oid, 'text')(text);
}

it.each([
  ['bool', 16, 'true'],
  ['bytea in the format escape', 17, 'body \\000'],
  ['bytea that is empty in the format escape', 17, ''],
  ['bytea with half a byte', 17, '\\x616'],
  ['bytea with another character', 17, '\\x61zz'],
  ['int8', 20, ''],
  ['int8 with an exponent', 20, '1e3'],
  ['int4', 23, ''],
  ['int4 with a fraction', 23, '1.5'],
  ['float8', 701, ''],
  ['float8 in money', 701, '$1.00'],
  ['date in the style German', 1082, '31.01.2026'],
  ['timestamp in the style SQL', 1114, '01/31/2026 10:20:30'],
  ['timestamptz in the style SQL', 1184, '01/31/2026 10:20:30 UTC'],
  ['timestamptz in the style Postgres', 1184, 'Sat Jan 31 10:20:30 2026 UTC'],
  ['timestamptz of no day', 1184, '2026-13-31 10:20:30+00'],
  ['numeric', 1700, '1,5'],
  ['array without braces', 1007, '1,2'],
  ['array without an end', 1007, '{1,2'],
  ['array with more after its end', 1007, '{1,2}}'],
  ['array with an empty item', 1009, '{a,,b}'],
  ['array with an open quote', 1009, '{"a'],
  ['array that ends in an escape', 1009, '{"a\\'],
  ['array with other bounds', 1007, '[x]={1}'],
  ['array with bytea in the format escape', 1001, '{"\\\\000"}'],
])('refuses %s', (_, oid, text) => {
  expect(() => decode(oid, text)).toThrow(expect.objectContaining({ code: 'DATABASE_ERROR' }));
});

it('does not quote a value that it refuses, because it may be a secret', () => {
  expect(() => decode(17, 'hunter2')).toThrow(/^(?!.*hunter2).*bytea/);
});

it.each([
  ['[0:1]={1,2}', [1, 2]],
  [
    '[-1:0][2:3]={{1,2},{3,4}}',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['{}', []],
  ['{NULL,7}', [null, 7]],
])('decodes the array %s', (text, expected) => {
  expect(decode(1007, text)).toEqual(expected);
});
