import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Filters on an event's payload: a JSON Schema (2020-12) that it must satisfy.
 *
 * Schemas come from callers and run for every event, so only what is cheap whatever the payload is
 * allowed. With the keywords below a check visits no value of the payload more than once for each
 * value of the schema. Left out on purpose: `pattern`, `patternProperties` and `format` (a regular
 * expression can take forever), `$ref`, `$dynamicRef` and `$defs` (they can recurse, and reach
 * outside), `uniqueItems` (quadratic), and the `unevaluated…` keywords.
 */
const keywords: ReadonlyMap<string, KeywordShape> = new Map<string, KeywordShape>([
  ...named('value', ['type', 'enum', 'const', 'required', 'multipleOf']),
  ...named('value', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']),
  ...named('value', [
    'minLength',
    'maxLength',
    'minItems',
    'maxItems',
    'minContains',
    'maxContains',
  ]),
  ...named('value', ['minProperties', 'maxProperties', 'dependentRequired']),
  ...named('value', ['title', 'description', 'default', 'examples', '$comment']),
  ...named('schema', ['additionalProperties', 'propertyNames', 'items', 'contains']),
  ...named('schema', ['not', 'if', 'then', 'else']),
  ...named('schemas', ['prefixItems', 'allOf', 'anyOf', 'oneOf']),
  ...named('schemaMap', ['properties', 'dependentSchemas']),
]);

/** Where schemas stand in a keyword's value. */
type KeywordShape = 'value' | 'schema' | 'schemas' | 'schemaMap';

const maxSchemaBytes = 8 * 1024;
const maxSchemaValues = 400;
const maxSchemaDepth = 16;
/** Own properties only: `required: ['toString']` is not met by every object. */
const options = { strict: false, ownProperties: true, logger: false } as const;
const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** Checks filters, and payloads against them; what it compiles is kept, within bounds. */
export class EventFilters {
  readonly #maxCompiled: number;
  readonly #compiled = new Map<string, ValidateFunction>();
  #metaSchema: Ajv2020 | undefined;

  /** @param maxCompiled schemas kept compiled; beyond it those used longest ago are forgotten */
  constructor(maxCompiled = 1_000) {
    this.#maxCompiled = maxCompiled;
  }

  /** What is wrong with a filter, for people; `undefined` when nothing is. */
  fault(filter: unknown): string | undefined {
    const text = toText(filter);
    if (text === undefined || Buffer.byteLength(text) > maxSchemaBytes) {
      return `is not JSON of at most ${maxSchemaBytes} bytes`;
    }
    const schema: unknown = JSON.parse(text);
    if (countValues(schema, maxSchemaDepth) > maxSchemaValues) {
      return `has more than ${maxSchemaValues} values, or is nested deeper than ${maxSchemaDepth}`;
    }
    if (typeof schema !== 'object' || schema === null) return 'is not a JSON Schema object';
    return keywordFault(schema, true) ?? this.#shapeFault(schema) ?? compileFault(schema);
  }

  /**
   * Whether the payload satisfies the schema.
   * @param schemaText the schema as JSON, one that {@link fault} finds nothing wrong with
   */
  matches(schemaText: string, payload: unknown): boolean {
    const known = this.#compiled.get(schemaText);
    const validate = known ?? compile(JSON.parse(schemaText));
    // Set again, so that the order is that of use.
    if (known) this.#compiled.delete(schemaText);
    this.#compiled.set(schemaText, validate);
    for (const oldest of this.#compiled.keys()) {
      if (this.#compiled.size <= this.#maxCompiled) break;
      this.#compiled.delete(oldest);
    }
    return validate(payload);
  }

  #shapeFault(schema: object): string | undefined {
    // Made when first needed: it takes a tenth of a second.
    this.#metaSchema ??= new Ajv2020(options);
    if (this.#metaSchema.validateSchema(schema)) return undefined;
    const faults = this.#metaSchema.errorsText(this.#metaSchema.errors, { dataVar: 'filter' });
    return `is not a JSON Schema: ${faults}`;
  }
}

/**
 * An instance keeps what it ever compiled, also what it is told to remove: so each schema gets its
 * own, which goes with it. Without the meta-schema that costs a millisecond.
 */
function compile(schema: object): ValidateFunction {
  return new Ajv2020({ ...options, meta: false, validateSchema: false }).compile(schema);
}

/** What the meta-schema allows and the compiler does not, such as an empty `enum`. */
function compileFault(schema: object): string | undefined {
  try {
    compile(schema);
    return undefined;
  } catch (error) {
    return `is not a JSON Schema: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** `undefined` for what is no JSON, or nested so deep that it cannot be written. */
function toText(filter: unknown): string | undefined {
  try {
    return JSON.stringify(filter);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function keywordFault(schema: unknown, top: boolean): string | undefined {
  if (typeof schema === 'boolean') return undefined;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    return 'has a schema that is neither an object nor a boolean';
  }
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === '$schema') {
      if (top && value === dialect) continue;
      return `may have $schema at its top only, and only ${dialect}`;
    }
    const shape = keywords.get(keyword);
    if (!shape) return `has the keyword ${keyword.slice(0, 64)}, which filters do not support`;
    const fault = subschemas(shape, value)
      .map((s) => keywordFault(s, false))
      .find(Boolean);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function subschemas(shape: KeywordShape, value: unknown): unknown[] {
  switch (shape) {
    case 'value':
      return [];
    case 'schema':
      return [value];
    case 'schemas':
      return Array.isArray(value) ? value : [value];
    case 'schemaMap':
      return typeof value === 'object' && value !== null ? Object.values(value) : [value];
  }
}

/** Values in a JSON value, itself included; infinite when it is nested too deep. */
function countValues(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (depthLeft === 0) return Number.POSITIVE_INFINITY;
  return Object.values(value).reduce((sum: number, v) => sum + countValues(v, depthLeft - 1), 1);
}

function named(shape: KeywordShape, names: readonly string[]): [string, KeywordShape][] {
  return names.map((name) => [name, shape]);
}
