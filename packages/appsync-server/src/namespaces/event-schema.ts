import { isJsonObject } from '@posthaste/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';

const maxSchemaBytes = 8 * 1024;
const maxSchemaValues = 400;
const maxSchemaDepth = 16;
/**
 * Most steps of one check: values of the schema times values of the event. A step takes at most
 * about 50 ns, so that a check blocks the process for at most 0.1 s.
 */
const maxSteps = 2_000_000;
const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** Own properties only: otherwise every object would satisfy `required: ['toString']`. */
const ajvOptions = { strict: false, ownProperties: true, logger: false } as const;

/**
 * Keywords of schemas of events, with the place of the schemas in their value. Left out on purpose:
 * `pattern`, `patternProperties` and `format` (a regular expression can run for ever), `$ref` and
 * `$defs` (they can recurse), `uniqueItems` (quadratic), `contains` (its errors can take gigabytes),
 * and the `unevaluated…` keywords.
 */
const keywords: ReadonlyMap<string, 'value' | 'schema' | 'schemas' | 'schemaMap'> = new Map([
  ...named('value', ['title', 'description', 'default', 'examples', '$comment']),
  ...named('value', ['type', 'required', 'dependentRequired', 'const', 'enum', 'multipleOf']),
  ...named('value', ['minItems', 'maxItems', 'minLength', 'maxLength']),
  ...named('value', ['minProperties', 'maxProperties']),
  ...named('value', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']),
  ...named('schema', ['items', 'additionalProperties', 'propertyNames']),
  ...named('schema', ['not', 'if', 'then', 'else']),
  ...named('schemas', ['prefixItems', 'allOf', 'anyOf', 'oneOf']),
  ...named('schemaMap', ['properties', 'dependentSchemas']),
]);

/** Check of an event: returns its fault, for people; undefined if it fits. */
export type EventCheck = (payload: unknown, text: string) => string | undefined;

/**
 * Returns the fault of a schema of events, for people; undefined if it can be compiled. A schema is a
 * JSON Schema (2020-12) of up to 8 KiB, with the keywords that are cheap for every event.
 */
export function eventSchemaFault(schema: unknown): string | undefined {
  if (typeof schema === 'boolean') return undefined;
  if (!isJsonObject(schema)) return 'is neither a JSON Schema object nor a boolean';
  // Before it is written as JSON, which overflows the stack of a deep one.
  const values = countValues(schema, maxSchemaDepth);
  if (values > maxSchemaValues) {
    return `has more than ${maxSchemaValues} values, or is nested deeper than ${maxSchemaDepth}`;
  }
  if (Buffer.byteLength(JSON.stringify(schema)) > maxSchemaBytes) {
    return `has more than ${maxSchemaBytes} bytes`;
  }
  return keywordFault(schema, true) ?? compileFault(schema);
}

/** Compiles a valid schema of events. @throws Error if it is none */
export function compileEventSchema(schema: object | boolean): EventCheck {
  const ajv = new Ajv2020({ ...ajvOptions, meta: false, validateSchema: false });
  const validate = ajv.compile(schema);
  const schemaValues = countValues(schema, maxSchemaDepth);
  return (payload, text) => {
    // A text of so many characters has at most so many values, and characters to compare.
    if (schemaValues * text.length > maxSteps && isCostly(payload, schemaValues)) {
      return 'The event has too many values for the schema of its namespace.';
    }
    if (validate(payload)) return undefined;
    const [first] = validate.errors ?? [];
    const place = first?.instancePath === '' ? 'event' : (first?.instancePath ?? 'event');
    return `The event does not fit the schema of its namespace: ${place} ${first?.message ?? ''}`.trim();
  };
}

function isCostly(payload: unknown, schemaValues: number): boolean {
  let left = Math.floor(maxSteps / schemaValues);
  const open: unknown[] = [payload];
  while (open.length > 0 && left >= 0) {
    const value = open.pop();
    left -= 1;
    if (typeof value === 'string') left -= value.length >> 4;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, each] of Object.entries(value)) {
      left -= key.length >> 4;
      open.push(each);
    }
  }
  return left < 0;
}

function compileFault(schema: object): string | undefined {
  try {
    const metaFault = new Ajv2020(ajvOptions);
    if (!metaFault.validateSchema(schema)) {
      return `is not a JSON Schema: ${metaFault.errorsText(metaFault.errors, { dataVar: 'schema' })}`;
    }
    compileEventSchema(schema);
    return undefined;
  } catch (error) {
    return `is not a JSON Schema: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function keywordFault(schema: unknown, isTop: boolean): string | undefined {
  if (typeof schema === 'boolean') return undefined;
  if (!isJsonObject(schema)) return 'has a schema that is neither an object nor a boolean';
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === '$schema') {
      if (isTop && value === dialect) continue;
      return `may have $schema only at its top, with the value ${dialect}`;
    }
    const shape = keywords.get(keyword);
    if (shape === undefined) {
      return `has the keyword ${keyword.slice(0, 64)}, which schemas of events do not support`;
    }
    for (const each of subschemas(shape, value)) {
      const fault = keywordFault(each, false);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function subschemas(shape: string, value: unknown): readonly unknown[] {
  if (shape === 'schema') return [value];
  if (shape === 'schemas') return Array.isArray(value) ? value : [value];
  if (shape === 'schemaMap') return isJsonObject(value) ? Object.values(value) : [value];
  return [];
}

/** Counts the values in a JSON value, itself included; infinite when it is nested too deeply. */
function countValues(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (depthLeft === 0) return Number.POSITIVE_INFINITY;
  return Object.values(value).reduce((sum: number, v) => sum + countValues(v, depthLeft - 1), 1);
}

function named<Shape extends 'value' | 'schema' | 'schemas' | 'schemaMap'>(
  shape: Shape,
  names: readonly string[],
): [string, Shape][] {
  return names.map((name) => [name, shape]);
}
