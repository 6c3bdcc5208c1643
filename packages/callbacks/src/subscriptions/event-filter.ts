import {
  exactKeywords,
  hasInfiniteNumber,
  JsonNumber,
  PlatformError,
  parseJsonWithDigits,
  stringifyExactJson,
  toSchemaValue,
} from '@posthaste/contracts';
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';

/**
 * Keywords that filters support. A filter is a JSON Schema (2020-12) that the payload of an event
 * must satisfy; for an event that came as a CloudEvent, its data, which may be any JSON.
 *
 * Schemas come from callers and run for every event, so only keywords that are cheap for every
 * payload are supported: a check visits each value of the payload at most once for each value of
 * the schema. Left out on purpose: `pattern`, `patternProperties` and `format` (a regular
 * expression can run for ever), `$ref`, `$dynamicRef` and `$defs` (they can recurse, and load other
 * schemas), `uniqueItems` (quadratic), and the `unevaluated…` keywords.
 *
 * Numbers are compared exactly, in payloads whatever their length; those of filters have up to 100
 * characters.
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

/** Place of the schemas in a keyword's value. */
type KeywordShape = 'value' | 'schema' | 'schemas' | 'schemaMap';

const maxSchemaBytes = 8 * 1024;
const maxSchemaValues = 400;
const maxSchemaDepth = 16;
/** Most characters of a number: each number of a payload may be divided by it. */
const maxNumberLength = 100;
/** Own properties only: otherwise every object would satisfy `required: ['toString']`. */
const options = { strict: false, ownProperties: true, logger: false } as const;
const dialect = 'https://json-schema.org/draft/2020-12/schema';

/**
 * Data of an event as a validator takes it, with its place: in a list of one item, which has the
 * exact number if the data is a number.
 */
export type FilterData = NonNullable<Parameters<ValidateFunction>[1]>;

/** Converts the data of an event, of `parseJsonWithDigits`, for {@link EventFilters.matches}. */
export function toFilterData(data: unknown): FilterData {
  const parentData = toSchemaValue([data]) as [Record<string, unknown>];
  return {
    instancePath: '',
    parentData,
    parentDataProperty: 0,
    rootData: parentData[0],
    dynamicAnchors: {},
  };
}

/** Checks filters, and payloads against filters. A limited number of compiled schemas is kept. */
export class EventFilters {
  readonly #maxCompiled: number;
  readonly #compiled = new Map<string, ValidateFunction>();
  #metaSchema: Ajv2020 | undefined;

  /** @param maxCompiled most compiled schemas kept; the one used longest ago is dropped first */
  constructor(maxCompiled = 1_000) {
    this.#maxCompiled = maxCompiled;
  }

  /** Returns the fault of a filter, for people; `undefined` when it is valid. */
  fault(filter: unknown): string | undefined {
    const text = toText(filter);
    if (text === undefined || Buffer.byteLength(text) > maxSchemaBytes) {
      return `is not JSON of at most ${maxSchemaBytes} bytes`;
    }
    const exact = parseJsonWithDigits(text);
    if (hasInfiniteNumber(exact)) return 'has a number beyond the range of a float64';
    if (hasLongNumber(exact)) return `has a number of more than ${maxNumberLength} characters`;
    const schema = toSchemaValue(exact);
    if (countValues(schema, maxSchemaDepth) > maxSchemaValues) {
      return `has more than ${maxSchemaValues} values, or is nested deeper than ${maxSchemaDepth}`;
    }
    if (typeof schema !== 'object' || schema === null) return 'is not a JSON Schema object';
    return keywordFault(schema, true) ?? this.#shapeFault(schema) ?? compileFault(schema);
  }

  /**
   * True if the data satisfies the schema.
   * @param schemaText a valid schema, as JSON
   */
  matches(schemaText: string, data: FilterData): boolean {
    const validate = this.#compiled.get(schemaText) ?? compile(parseSchema(schemaText));
    // Set again at every use, so that the order of the map is that of use.
    this.#compiled.delete(schemaText);
    this.#compiled.set(schemaText, validate);
    if (this.#compiled.size > this.#maxCompiled) {
      const leastUsed = this.#compiled.keys().next();
      if (!leastUsed.done) this.#compiled.delete(leastUsed.value);
    }
    return validate(data.rootData, data);
  }

  #shapeFault(schema: object): string | undefined {
    // Created when first needed: it takes a tenth of a second.
    this.#metaSchema ??= createAjv(options);
    if (this.#metaSchema.validateSchema(schema)) return undefined;
    const faults = this.#metaSchema.errorsText(this.#metaSchema.errors, { dataVar: 'filter' });
    return `is not a JSON Schema: ${faults}`;
  }
}

/**
 * Compiles a schema with an Ajv instance of its own. An instance keeps everything it has compiled,
 * even schemas that are removed from it; this one is freed with its schema. Without the meta-schema
 * an instance costs a millisecond.
 */
function compile(schema: object): ValidateFunction {
  const lean = { ...options, meta: false, validateSchema: false, messages: false };
  return forgetErrorsOfItems(createAjv(lean)).compile(schema);
}

function createAjv(ajvOptions: Options): Ajv2020 {
  const ajv = new Ajv2020(ajvOptions);
  for (const definition of exactKeywords) {
    // Nobody reads errors of their own without messages, and they would be copied for each further one.
    const errors = ajvOptions.messages === false ? { errors: false } : {};
    ajv.removeKeyword(definition.keyword).addKeyword({ ...definition, ...errors });
  }
  return ajv;
}

/**
 * Makes `contains` forget the errors of an item before it checks the next one. As it comes, it keeps
 * those of all items until the end of the list: gigabytes for a long list and a long `anyOf`.
 */
function forgetErrorsOfItems(ajv: Ajv2020): Ajv2020 {
  const keyword = 'contains';
  const definition = ajv.getKeyword(keyword);
  if (typeof definition !== 'object' || !('code' in definition) || !definition.code) {
    throw new PlatformError('INTERNAL', `the validator has no code for ${keyword}`);
  }
  const { code } = definition;
  const forgetful: typeof code = (context, ruleType) => {
    const check = context.subschema.bind(context);
    context.subschema = (applied, valid) => {
      const checked = check(applied, valid);
      context.reset();
      return checked;
    };
    code(context, ruleType);
  };
  return ajv.removeKeyword(keyword).addKeyword({ ...definition, keyword, code: forgetful });
}

function parseSchema(text: string): object {
  return toSchemaValue(parseJsonWithDigits(text)) as object;
}

/** Finds faults that the meta-schema allows and the compiler does not, such as an empty `enum`. */
function compileFault(schema: object): string | undefined {
  try {
    compile(schema);
    return undefined;
  } catch (error) {
    return `is not a JSON Schema: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Writes a filter as JSON; `undefined` when that is impossible, or it is nested too deeply. */
function toText(filter: unknown): string | undefined {
  try {
    // Undefined for a value that is not JSON at all.
    return stringifyExactJson(filter) as string | undefined;
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
      return `may have $schema only at its top, with the value ${dialect}`;
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

/** True if a number in the parsed JSON value is written with too many characters. */
function hasLongNumber(value: unknown): boolean {
  if (value instanceof JsonNumber) return value.text.length > maxNumberLength;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasLongNumber);
}

/** Counts the values in a JSON value, itself included; infinite when it is nested too deeply. */
function countValues(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (depthLeft === 0) return Number.POSITIVE_INFINITY;
  return Object.values(value).reduce((sum: number, v) => sum + countValues(v, depthLeft - 1), 1);
}

function named(shape: KeywordShape, names: readonly string[]): [string, KeywordShape][] {
  return names.map((name) => [name, shape]);
}
