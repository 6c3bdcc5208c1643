/**
 * Exact numbers for validators of JSON Schema (Ajv), which compare doubles only.
 *
 * `toSchemaValue` prepares payloads and schemas: in place of a bigint or a `JsonNumber` the validator
 * gets a double of the same type in JSON Schema, and a hidden member of the container has the exact
 * number. `exactKeywords` replaces the keywords that compare numbers: they read the exact ones.
 */

import {
  compareNumbers,
  isJsonNumeric,
  isMultipleOf,
  isWhole,
  type JsonNumeric,
} from './compare-numbers.js';
import { JsonNumber } from './exact-json.js';

/** Key of the exact numbers of a container. Validators do not see symbols. */
const exactMembers = Symbol('exact numbers');

/** Object or list, with the exact numbers of some of its members. */
interface Container {
  readonly [key: string]: unknown;
  [exactMembers]?: ReadonlyMap<string, JsonNumeric>;
}

/** Place of a value in what is validated, as Ajv passes it. */
interface Place {
  readonly parentData: unknown;
  readonly parentDataProperty: string | number;
}

/** Error of a keyword in the form of Ajv. */
interface KeywordError {
  readonly keyword: string;
  readonly message: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Check of a value against a keyword. */
interface KeywordCheck {
  (value: unknown, place?: Place): boolean;
  /** Errors of the last call. */
  errors?: KeywordError[];
}

/** Keyword of JSON Schema in the form of Ajv's `addKeyword`. */
export interface ExactKeyword {
  readonly keyword: string;
  readonly type?: 'number' | 'array';
  readonly schemaType?: 'number' | 'array' | 'boolean';
  readonly compile: (schema: unknown, parentSchema: object) => KeywordCheck;
}

/** True if the JSON value has a number that a validator would not compare exactly. */
export function hasExactNumber(value: unknown): boolean {
  if (typeof value === 'bigint' || value instanceof JsonNumber) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasExactNumber);
}

/**
 * Returns a parsed JSON value for validators that have `exactKeywords`: the value itself if plain
 * doubles hold all of its numbers, else a copy.
 */
export function toSchemaValue(value: unknown): unknown {
  return hasExactNumber(value) ? copy(value) : value;
}

function copy(value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof JsonNumber) return standIn(value);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const copied = entries.map(([key, member]) => [key, copy(member)] as const);
  // fromEntries, because assigning to the key `__proto__` would not define a key.
  const container = Array.isArray(value)
    ? copied.map(([, member]) => member)
    : Object.fromEntries(copied);
  const exact = entries.filter(([, member]) => isJsonNumeric(member) && typeof member !== 'number');
  if (exact.length > 0) {
    const members = new Map(exact as [string, JsonNumeric][]);
    Object.defineProperty(container, exactMembers, { value: members });
  }
  return container;
}

/** Returns a finite double that is an integer if the number is one. */
function standIn(value: bigint | JsonNumber): number {
  if (!isWhole(value)) return 0.5;
  const rounded = Number(value);
  return Number.isFinite(rounded) ? rounded : Number.MAX_VALUE;
}

/** Returns a member, with its exact number if it has one. */
function memberOf(container: unknown, key: string | number): unknown {
  const { [exactMembers]: exact, [key]: member } = container as Container;
  return exact?.get(String(key)) ?? member;
}

function exactOf(value: unknown, place: Place | undefined): unknown {
  const parent = place?.parentData;
  // Texts have no exact number; in `propertyNames` the place is that of the object.
  if (typeof value !== 'number' || typeof parent !== 'object' || parent === null) return value;
  return place ? memberOf(parent, place.parentDataProperty) : value;
}

/** True if two values are equal in JSON Schema, with exact numbers. */
function isEqual(a: unknown, b: unknown): boolean {
  if (isJsonNumeric(a) || isJsonNumeric(b)) {
    return isJsonNumeric(a) && isJsonNumeric(b) && compareNumbers(a, b) === 0;
  }
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual(memberOf(a, key), memberOf(b, key)))
  );
}

interface Rule {
  readonly keyword: string;
  readonly holds: (value: unknown, expected: unknown) => boolean;
  readonly message: (expected: unknown) => string;
}

function toCheck({ keyword, holds, message }: Rule, parentSchema: object): KeywordCheck {
  const expected = memberOf(parentSchema, keyword);
  const check: KeywordCheck = (value, place) => {
    if (holds(exactOf(value, place), expected)) return true;
    check.errors = [{ keyword, message: message(expected), params: { [keyword]: expected } }];
    return false;
  };
  return check;
}

function limit(
  keyword: string,
  comparison: string,
  holds: (order: number) => boolean,
): ExactKeyword {
  const rule: Rule = {
    keyword,
    holds: (value, bound) => holds(compareNumbers(value as JsonNumeric, bound as JsonNumeric)),
    message: (bound) => `must be ${comparison} ${bound}`,
  };
  return {
    keyword,
    type: 'number',
    schemaType: 'number',
    compile: (_schema, parentSchema) => toCheck(rule, parentSchema),
  };
}

const multipleOf: Rule = {
  keyword: 'multipleOf',
  holds: (value, divisor) => isMultipleOf(value as JsonNumeric, divisor as JsonNumeric),
  message: (divisor) => `must be multiple of ${divisor}`,
};

const constant: Rule = {
  keyword: 'const',
  holds: isEqual,
  message: () => 'must be equal to constant',
};

const oneOfValues: Rule = {
  keyword: 'enum',
  holds: (value, allowed) => {
    const values = allowed as readonly unknown[];
    return values.some((_, index) => isEqual(value, memberOf(values, index)));
  },
  message: () => 'must be equal to one of the allowed values',
};

const uniqueItems: Rule = {
  keyword: 'uniqueItems',
  holds: (value, isAsked) => {
    if (isAsked !== true) return true;
    const items = (value as readonly unknown[]).map((_, index) => memberOf(value, index));
    const texts = items.filter((item) => typeof item === 'string');
    const others = items.filter((item) => typeof item !== 'string');
    return new Set(texts).size === texts.length && !others.some(isRepeated);
  },
  message: () => 'must NOT have duplicate items',
};

function isRepeated(item: unknown, index: number, items: readonly unknown[]): boolean {
  for (let before = 0; before < index; before += 1) {
    if (isEqual(item, items[before])) return true;
  }
  return false;
}

/** The keywords that compare numbers. Remove those of the validator before adding them. */
export const exactKeywords: readonly ExactKeyword[] = [
  limit('minimum', '>=', (order) => order >= 0),
  limit('maximum', '<=', (order) => order <= 0),
  limit('exclusiveMinimum', '>', (order) => order > 0),
  limit('exclusiveMaximum', '<', (order) => order < 0),
  {
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    compile: (_schema, parentSchema) => toCheck(multipleOf, parentSchema),
  },
  { keyword: 'const', compile: (_schema, parentSchema) => toCheck(constant, parentSchema) },
  {
    keyword: 'enum',
    schemaType: 'array',
    compile: (schema, parentSchema) => {
      if ((schema as readonly unknown[]).length === 0) throw new Error('enum must have an item');
      return toCheck(oneOfValues, parentSchema);
    },
  },
  {
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (_schema, parentSchema) => toCheck(uniqueItems, parentSchema),
  },
];
