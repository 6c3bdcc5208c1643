import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonMember, jsonItems } from './json-text.js';

describe('findJsonMember', () => {
  it.each([
    [
      '{"json":{"amount": 1e400 , "n":18446744073709551615}}',
      '{"amount": 1e400 , "n":18446744073709551615}',
    ],
    [' { "a" : [ {"json":1} ] ,\n\t"json" : [ 1 , 2.50 ] \r\n} ', '[ 1 , 2.50 ]'],
    ['{"json":"a \\\\\\" , } b\\\\"}', '"a \\\\\\" , } b\\\\"'],
    ['{"json":1,"json":null}', 'null'],
    ['{"js\\u006fn":-0.0}', '-0.0'],
    ['{"other":{"json":1},"json ":2}', undefined],
    ['{}', undefined],
    ['["json"]', undefined],
    ['"json"', undefined],
  ])('of %s is %s', (text, member) => {
    expect(findJsonMember(text, 'json')).toBe(member);
  });

  it('finds the text of every member of any object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        for (const [key, value] of Object.entries(object)) {
          expect(JSON.parse(findJsonMember(text, key) ?? '')).toEqual(
            JSON.parse(JSON.stringify(value)),
          );
        }
      }),
    );
  });

  it('takes any depth', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(findJsonMember(`{"a":${deep},"json":${deep}}`, 'json')).toBe(deep);
  });
});

describe('jsonItems', () => {
  it('returns the items as they are written', () => {
    expect(jsonItems(' [ {"a": 1} ,"]", [ ] ,1.0\n] ')).toEqual(['{"a": 1}', '"]"', '[ ]', '1.0']);
    expect(jsonItems('[]')).toEqual([]);
    expect(jsonItems('{"a":[1]}')).toEqual([]);
  });
});
