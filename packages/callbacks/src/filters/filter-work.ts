import { JsonNumber } from '@posthaste/contracts';
import { filterKeywords, subschemas } from './filter-keywords.js';

/*
 * Estimate of the work of matching, in steps. It is known before a filter runs, and it is an upper
 * bound: keywords that look at one place of the payload (`properties`, `required`, `minimum`) count
 * once, those that visit its values (`items`, `contains`, `minProperties`) count for each value of the
 * whole payload. A step takes at most about 50 ns.
 */

/** Cost of matching a filter with any payload. */
export interface FilterCost {
  /** Steps that do not depend on the payload. */
  readonly once: number;
  /** Steps for each value of the payload. */
  readonly each: number;
  /** Keywords that read one text to its end. */
  readonly texts: number;
  /** Keywords that read one number to its end. */
  readonly numbers: number;
  /** Steps of compiling the filter. */
  readonly compile: number;
}

/** Size of a payload, as far as the work of matching depends on it. */
export interface PayloadSize {
  /** Number of values; long texts and numbers, and values of objects with many keys, count as several. */
  readonly values: number;
  /** Characters of the longest text or key; 0 if all are short. */
  readonly longestText: number;
  /** Digits of the longest number that is not a plain double. 0: plain doubles hold all numbers. */
  readonly longestNumber: number;
}

/** Characters of a text that are read in one step. */
const charactersPerStep = 16;
/** Digits of a number that are read in one step: they may have to be divided. */
const digitsPerStep = 4;
/** Further steps for a number that is not a plain double: others are converted to compare with it. */
const exactNumberWork = 8;
/** Keys from which on an object is a hash table, and further steps for each key of one. */
const manyKeys = 500;
const manyKeysWork = 4;
/** Steps of compiling: those of any filter, and those of each schema in it. */
const compileWork = 20_000;
const compileWorkPerSchema = 4_000;

/** Returns the steps of matching a filter of this cost with a payload of this size. */
export function workOf(
  cost: FilterCost,
  { values, longestText, longestNumber }: PayloadSize,
): number {
  const long =
    (cost.texts * longestText) / charactersPerStep +
    cost.numbers * (longestNumber === 0 ? 0 : exactNumberWork + longestNumber / digitsPerStep);
  return Math.ceil(cost.once + cost.each * values + long);
}

/** Returns the cost of a valid filter, of `parseJsonWithDigits`. */
export function costOf(filter: unknown): FilterCost {
  const cost = { once: 0, each: 0, texts: 0, numbers: 0, compile: compileWork };
  addSchema(cost, filter, 'once');
  return cost;
}

type Cost = { -readonly [Key in keyof FilterCost]: FilterCost[Key] };

/** @param applies `each` if the schema is applied to each of the values below a place */
function addSchema(cost: Cost, schema: unknown, applies: 'once' | 'each'): void {
  cost.compile += compileWorkPerSchema;
  cost[applies] += 1;
  if (typeof schema !== 'object' || schema === null) return;
  for (const [name, value] of Object.entries(schema)) {
    const keyword = filterKeywords.get(name);
    if (!keyword || keyword.work === 0) continue;
    const schemas = subschemas(keyword, value);
    const { values, containers, numbers } = count(value);
    const parts = keyword.shape === 'value' ? values : schemas.length;
    const visitsEach = keyword.visits === 'children' || keyword.visits === 'keys';
    cost[visitsEach ? 'each' : applies] += keyword.work * parts;
    if (keyword.visits === 'keysOfContainers') {
      // The list of `enum` is not compared itself.
      cost.each += keyword.work * (name === 'enum' ? containers - 1 : containers);
    }
    if (name === 'additionalProperties') cost.each += propertiesOf(schema);
    if (keyword.reads === 'text') cost.texts += 1;
    if (keyword.reads === 'number') cost.numbers += numbers;
    for (const each of schemas)
      addSchema(cost, each, keyword.visits === 'children' ? 'each' : applies);
  }
}

/** Returns the number of `properties`: `additionalProperties` compares each key with them. */
function propertiesOf(schema: object): number {
  const { properties } = schema as { readonly properties?: unknown };
  return typeof properties === 'object' && properties !== null ? Object.keys(properties).length : 0;
}

interface Count {
  readonly values: number;
  readonly containers: number;
  readonly numbers: number;
}

/** Counts the values in a keyword's value, and the objects, lists and numbers among them. */
function count(value: unknown): Count {
  if (typeof value === 'number' || value instanceof JsonNumber) {
    return { values: 1, containers: 0, numbers: 1 };
  }
  if (typeof value !== 'object' || value === null) return { values: 1, containers: 0, numbers: 0 };
  return Object.values(value)
    .map(count)
    .reduce(
      (sum, each) => ({
        values: sum.values + each.values,
        containers: sum.containers + each.containers,
        numbers: sum.numbers + each.numbers,
      }),
      { values: 1, containers: 1, numbers: 0 },
    );
}

/** Measures a payload, of `parseJsonWithDigits`. It takes less time than parsing it. */
export function sizeOf(payload: unknown): PayloadSize {
  const size: Size = { values: 0, longestText: 0, longestNumber: 0 };
  // A stack of its own, so that the depth does not matter.
  const open: object[] = [];
  addValue(size, payload, open);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) for (const item of value) addValue(size, item, open);
    else addMembers(size, value as Members, open);
  }
  return size;
}

type Size = { -readonly [Key in keyof PayloadSize]: PayloadSize[Key] };
type Members = Readonly<Record<string, unknown>>;

function addMembers(size: Size, members: Members, open: object[]): void {
  const keys = Object.keys(members);
  if (keys.length > manyKeys) size.values += keys.length * manyKeysWork;
  for (const key of keys) {
    if (key.length >= charactersPerStep) addText(size, key.length);
    addValue(size, members[key], open);
  }
}

/** Counts a value, and adds it to `open` if it has others in it. */
function addValue(size: Size, value: unknown, open: object[]): void {
  size.values += 1;
  if (typeof value === 'string') {
    if (value.length >= charactersPerStep) addText(size, value.length);
  } else if (typeof value === 'object' && value !== null) {
    if (value instanceof JsonNumber) addNumber(size, value.text.length);
    else open.push(value);
  } else if (typeof value === 'bigint') {
    addNumber(size, String(value).length);
  }
}

function addText(size: Size, length: number): void {
  size.values += Math.floor(length / charactersPerStep);
  if (length > size.longestText) size.longestText = length;
}

function addNumber(size: Size, length: number): void {
  size.values += exactNumberWork + Math.floor(length / digitsPerStep);
  if (length > size.longestNumber) size.longestNumber = length;
}
