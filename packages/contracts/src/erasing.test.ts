import { describe, expect, it } from 'vitest';
import { createIdentifierTest, isJsonPointer } from './erasing.js';

const finds = (pointer: string, value: string | number, json: string): boolean =>
  createIdentifierTest({ pointer, value })(Buffer.from(json));

describe('the test for an identifier', () => {
  it('finds a value that is nested, in an array by index, or in any element', () => {
    const json = '{"order":{"people":[{"mail":"a@x"},{"mail":"b@x"}],"tags":["c@x",7]}}';
    expect(finds('/order/people/1/mail', 'b@x', json)).toBe(true);
    expect(finds('/order/people/0/mail', 'b@x', json)).toBe(false);
    expect(finds('/order/people/mail', 'b@x', json)).toBe(true);
    expect(finds('/order/tags', 'c@x', json)).toBe(true);
    expect(finds('/order/tags', 7, json)).toBe(true);
    expect(finds('/order', 'c@x', json)).toBe(false);
  });

  it('finds it in the payload of an envelope and in the data of a CloudEvent', () => {
    expect(finds('/mail', 'a@x', '{"id":"1","payload":{"mail":"a@x"}}')).toBe(true);
    expect(finds('/mail', 'a@x', '{"specversion":"1.0","data":{"mail":"a@x"}}')).toBe(true);
    expect(finds('/mail', 'a@x', '{"other":{"mail":"a@x"}}')).toBe(false);
  });

  it('compares numbers by their digits, and with text', () => {
    expect(finds('/id', '12345678901234567890', '{"id":12345678901234567890}')).toBe(true);
    expect(finds('/id', '12345678901234567891', '{"id":12345678901234567890}')).toBe(false);
    expect(finds('/id', 7, '{"id":7.0}')).toBe(true);
    expect(finds('/id', 7, '{"id":"7"}')).toBe(true);
    expect(finds('/id', 7, '{"id":0.7e1}')).toBe(true);
    expect(finds('/id', 7, '{"id":70}')).toBe(false);
  });

  it('reads escapes, and compares text in one form of Unicode', () => {
    expect(finds('/name', 'Zoë', '{"name":"Zo\\u00eb"}')).toBe(true);
    expect(finds('/name', 'Zoë', '{"name":"Zoe\u0308"}')).toBe(true);
    expect(finds('/name', 'plain', '{"name":"pl\\u0061in"}')).toBe(true);
    expect(finds('/a~1b/~0', 'x', '{"a/b":{"~":"x"}}')).toBe(true);
  });

  it('finds nothing in what is no JSON, and survives deep nesting', () => {
    expect(finds('/a', 'x', 'a=x')).toBe(false);
    expect(finds('/a', 'x', `${'['.repeat(100_000)}"x"${']'.repeat(100_000)}`)).toBe(false);
    expect(finds('/__proto__/a', 'x', '{"b":"x"}')).toBe(false);
  });
});

it('a JSON Pointer has at least one token', () => {
  expect(['/a', '/a/b', '/', '/a~0b'].map(isJsonPointer)).toEqual([true, true, true, true]);
  expect(['', 'a', '/a~2', '#/a'].map(isJsonPointer)).toEqual([false, false, false, false]);
});
