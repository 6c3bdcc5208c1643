import {
  hasInfiniteNumber,
  JsonNumber,
  parseJsonWithDigits,
  stringifyExactJson,
  toSchemaValue,
} from '@posthaste/contracts';
import { compileFilter, createAjv, filterOptions } from './filter-compiler.js';
import { filterKeywords, subschemas } from './filter-keywords.js';

const maxSchemaBytes = 8 * 1024;
const maxSchemaValues = 400;
const maxSchemaDepth = 16;
/** Most characters of a number: each number of a payload may be divided by it. */
const maxNumberLength = 100;
const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** Checks filters of new and changed subscriptions. */
export class FilterChecker {
  #metaSchema: ReturnType<typeof createAjv> | undefined;

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

  #shapeFault(schema: object): string | undefined {
    // Created when first needed: it takes a tenth of a second.
    this.#metaSchema ??= createAjv(filterOptions);
    if (this.#metaSchema.validateSchema(schema)) return undefined;
    const faults = this.#metaSchema.errorsText(this.#metaSchema.errors, { dataVar: 'filter' });
    return `is not a JSON Schema: ${faults}`;
  }
}

/** Finds faults that the meta-schema allows and the compiler does not, such as an empty `enum`. */
function compileFault(schema: object): string | undefined {
  try {
    compileFilter(schema);
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
    const known = filterKeywords.get(keyword);
    if (!known) return `has the keyword ${keyword.slice(0, 64)}, which filters do not support`;
    const fault = subschemas(known, value)
      .map((s) => keywordFault(s, false))
      .find(Boolean);
    if (fault !== undefined) return fault;
  }
  return undefined;
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
