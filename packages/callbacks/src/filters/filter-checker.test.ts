import { parseJsonWithDigits } from '@posthaste/contracts';
import { describe, expect, it } from 'vitest';
import { CompiledFilters } from './compiled-filters.js';
import { FilterChecker } from './filter-checker.js';
import { toFilterData } from './filter-compiler.js';

function nested(depth: number): unknown {
  return depth === 0 ? {} : { not: nested(depth - 1) };
}

describe('filters on payloads', () => {
  const filters = new FilterChecker();
  const compiled = new CompiledFilters();
  const matches = (filter: string, payload: unknown): boolean =>
    compiled.find('shop', filter).matches(toFilterData(payload));

  it.each([
    [{}, {}, true],
    [{ required: ['id'] }, { id: 1 }, true],
    [{ required: ['id'] }, {}, false],
    [{ required: ['toString'] }, {}, false],
    [{ properties: { total: { minimum: 100 } }, required: ['total'] }, { total: 100.5 }, true],
    [{ properties: { total: { minimum: 100 } }, required: ['total'] }, { total: 99 }, false],
    [{ properties: { country: { enum: ['DE', 'AT'] } } }, { country: 'FR' }, false],
    [{ properties: { kind: { const: { a: [1] } } } }, { kind: { a: [1] } }, true],
    [{ anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: null }, true],
    [{ properties: { items: { contains: { required: ['sku'] } } } }, { items: [{}] }, false],
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    [{ if: { required: ['a'] }, then: { required: ['b'] } }, { a: 1 }, false],
    [{ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' }, {}, true],
    [{ additionalProperties: false, properties: { a: true } }, { a: 1, b: 1 }, false],
    [{ const: 'text' }, 'text', true],
    [{ type: 'object' }, 'text', false],
    [{ type: 'string', minLength: 5 }, 'text', false],
    [{ type: 'null' }, null, true],
    [{ contains: { const: 2 } }, [1, 2], true],
    [{ minimum: 3 }, 2, false],
  ])('%j on %j: %s', (schema, payload, expected) => {
    expect(filters.fault(schema)).toBeUndefined();
    expect(matches(JSON.stringify(schema), payload)).toBe(expected);
  });

  it.each<[schema: string, fits: string, differs: string]>([
    ['{"const":9007199254740993}', '9007199254740993', '9007199254740992'],
    ['{"const":9007199254740993}', '9007199254740993.0', '9007199254740994'],
    ['{"const":1}', '1.000', '1.0000000000000000001'],
    [
      '{"const":{"a":[18446744073709551615]}}',
      '{"a":[18446744073709551615]}',
      '{"a":[18446744073709551616]}',
    ],
    ['{"enum":["a",18446744073709551615]}', '18446744073709551615', '18446744073709551614'],
    ['{"minimum":9007199254740993}', '9007199254740993', '9007199254740992'],
    ['{"maximum":9007199254740992}', '9007199254740992', '9007199254740992.1'],
    ['{"exclusiveMinimum":-9007199254740993}', '-9007199254740992', '-9007199254740993'],
    ['{"exclusiveMaximum":1e20}', '99999999999999999999', '100000000000000000000'],
    ['{"minimum":0.1}', '0.10', '0.09999999999999999999'],
    ['{"multipleOf":0.01}', '1.10', '1.105'],
    ['{"multipleOf":7}', '18446744073709551614', '18446744073709551615'],
    ['{"multipleOf":1e-300}', '1e300', '1e-301'],
    ['{"type":"integer"}', '18446744073709551615', '9007199254740993.5'],
    ['{"type":"integer"}', '1E5', '1.0000000000000000001'],
    ['{"type":"number"}', '1.50', '"1.50"'],
    ['{"not":{"type":"object"}}', '-0', '{}'],
  ])('compare numbers exactly: %s', (schema, fits, differs) => {
    const text = `{"properties":{"n":${schema}}}`;
    expect(filters.fault(parseJsonWithDigits(text))).toBeUndefined();
    const matchesText = (filter: string, data: string): boolean =>
      matches(filter, parseJsonWithDigits(data));
    expect([matchesText(text, `{"n":${fits}}`), matchesText(text, `{"n":${differs}}`)]).toEqual([
      true,
      false,
    ]);
    // As data that is no object.
    expect([matchesText(schema, fits), matchesText(schema, differs)]).toEqual([true, false]);
    const nested = `{"allOf":[{"anyOf":[${schema}]}]}`;
    expect([matchesText(nested, fits), matchesText(nested, differs)]).toEqual([true, false]);
  });

  it('refuse a number beyond the range of a float64', () => {
    const fault = filters.fault(parseJsonWithDigits('{"properties":{"n":{"maximum":1e400}}}'));
    expect(fault).toBe('has a number beyond the range of a float64');
  });

  it('refuse a number that is too long', () => {
    const schema = (digits: number): unknown =>
      parseJsonWithDigits(`{"properties":{"n":{"multipleOf":1.${'7'.repeat(digits)}}}}`);
    expect(filters.fault(schema(98))).toBeUndefined();
    expect(filters.fault(schema(99))).toBe('has a number of more than 100 characters');
    const small = parseJsonWithDigits(`{"multipleOf":1e-${'9'.repeat(400)}}`);
    expect(filters.fault(small)).toBeTypeOf('string');
  });

  // With the errors of all items it took gigabytes and hours.
  it.each([{ minLength: 9 }, { const: 1 }])(
    'check each item of a long list with many schemas: %j',
    (schema) => {
      const filter = JSON.stringify({ contains: { anyOf: Array(150).fill(schema) } });
      expect(filters.fault(JSON.parse(filter))).toBeUndefined();
      const items = (last: unknown): unknown[] => [...Array(20_000).fill(''), last];
      expect(matches(filter, items(''))).toBe(false);
      expect(matches(filter, items(schema.const ?? 'long enough'))).toBe(true);
    },
  );

  it.each([
    ['2 to 3 items', { minContains: 2, maxContains: 3 }, [0, 0, 1, 1, 1, 1]],
    ['no item at all', { minContains: 0, maxContains: 0 }, [1, 0, 0, 0, 0, 0]],
  ])('count %s that fit', (_, limits, expected) => {
    const filter = JSON.stringify({ contains: { anyOf: [{ const: 1 }, { const: 2 }] }, ...limits });
    const lists = [[3, 3], [1], [1, 3, 2], [3, 1, 1, 1], [1, 2, 3, 4], [2, 2]];
    const found = lists.map((list) => Number(matches(filter, list)));
    expect(found).toEqual(expected);
  });

  it.each([
    ['a pattern', { properties: { a: { pattern: '^(a+)+$' } } }],
    ['patternProperties', { patternProperties: { '(a+)+$': {} } }],
    ['a format', { format: 'email' }],
    ['a reference to itself', { $ref: '#' }],
    ['a remote reference', { allOf: [{ $ref: 'http://example.com/schema.json' }] }],
    ['an id', { $id: 'http://example.com/schema.json' }],
    ['definitions', { $defs: { a: {} } }],
    ['uniqueItems', { uniqueItems: true }],
    ['an unknown keyword', { requird: ['a'] }],
    ['a wrong value', { type: 'text' }],
    ['a wrong subschema', { properties: { a: 1 } }],
    ['a wrong list of schemas', { anyOf: {} }],
    ['an empty enum', { enum: [] }],
    ['$schema inside', { not: { $schema: 'https://json-schema.org/draft/2020-12/schema' } }],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }],
    ['text', 'text'],
    ['a list', []],
    ['nothing', undefined],
    ['too deep a nesting', nested(17)],
    ['a nesting too deep to be written', JSON.parse(`${'['.repeat(1e5)}${']'.repeat(1e5)}`)],
    ['too many values', { enum: Array.from({ length: 400 }, (_, i) => i) }],
    ['too many bytes', { description: 'x'.repeat(9_000) }],
  ])('%s is refused', (_, schema) => {
    expect(filters.fault(schema)).toBeTypeOf('string');
  });

  it('treat code in a schema as data', () => {
    const schema = { properties: { '"];throw 1;//': { const: '");process.exit(1);//' } } };
    expect(filters.fault(schema)).toBeUndefined();
    expect(matches(JSON.stringify(schema), { '"];throw 1;//': 'x' })).toBe(false);
  });
});
