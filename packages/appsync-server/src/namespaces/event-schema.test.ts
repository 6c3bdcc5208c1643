import { expect, it } from 'vitest';
import { compileEventSchema, eventSchemaFault } from './event-schema.js';

it('accepts schemas of cheap keywords', () => {
  for (const schema of [
    true,
    false,
    {},
    { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Move' },
    { type: 'object', properties: { pattern: { enum: ['a', 1, null] } }, required: ['pattern'] },
    {
      anyOf: [
        { type: 'string', maxLength: 10 },
        { type: 'array', items: { type: 'number' } },
      ],
    },
  ]) {
    expect(eventSchemaFault(schema)).toBeUndefined();
  }
});

it('refuses what is no schema, what is too large, and keywords that can run for ever', () => {
  const deep: Record<string, unknown> = {};
  let end = deep;
  for (let depth = 0; depth < 50_000; depth += 1) {
    const next = {};
    end.not = next;
    end = next;
  }
  const refused: [unknown, string][] = [
    [undefined, 'neither a JSON Schema object'],
    ['{}', 'neither a JSON Schema object'],
    [[], 'neither a JSON Schema object'],
    [{ type: 'text' }, 'is not a JSON Schema'],
    [{ properties: [] }, 'a schema'],
    [{ items: 1 }, 'neither an object nor a boolean'],
    [{ not: { pattern: '(a+)+$' } }, 'keyword pattern'],
    [{ patternProperties: {} }, 'keyword patternProperties'],
    [{ properties: { a: { $ref: '#' } } }, 'keyword $ref'],
    [{ format: 'email' }, 'keyword format'],
    [{ uniqueItems: true }, 'keyword uniqueItems'],
    [{ contains: {} }, 'keyword contains'],
    [{ properties: { a: { $schema: 'x' } } }, '$schema only at its top'],
    [{ enum: Array.from({ length: 500 }, (_, n) => n) }, 'more than 400 values'],
    [{ title: 'x'.repeat(9_000) }, 'more than 8192 bytes'],
    [deep, 'nested deeper'],
  ];
  for (const [schema, fault] of refused) expect(eventSchemaFault(schema)).toContain(fault);
});

it('refuses an event that would take too long to check', () => {
  const anyOf = Array.from({ length: 90 }, (_, n) => ({ type: 'integer', minimum: n + 10 }));
  const check = compileEventSchema({ items: { anyOf } });
  const text = `[${'1,'.repeat(110_000)}1]`;
  const [payload, before] = [JSON.parse(text), process.cpuUsage()];
  expect(check(payload, text)).toContain('too many values');
  // Time of the processor: the machine may be busy.
  const { user, system } = process.cpuUsage(before);
  expect(user + system).toBeLessThan(2_000_000);
  const long = JSON.stringify([20, 'x'.repeat(100_000)]);
  expect(check(JSON.parse(long), long)).toContain('does not fit');
});

it('looks at own properties only', () => {
  const check = compileEventSchema({ required: ['toString'] });
  expect(check({}, '{}')).toContain('required');
});
