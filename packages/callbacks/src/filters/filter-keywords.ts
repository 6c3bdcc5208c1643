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
export const filterKeywords: ReadonlyMap<string, FilterKeyword> = new Map<string, FilterKeyword>([
  ...named(['title', 'description', 'default', 'examples', '$comment'], { work: 0 }),
  ...named(['type', 'required', 'dependentRequired'], { work: 1 }),
  ...named(['minItems', 'maxItems', 'minContains', 'maxContains'], { work: 1 }),
  ...named(['minLength', 'maxLength'], { work: 1, reads: 'text' }),
  ...named(['minProperties', 'maxProperties'], { work: 1, visits: 'keys' }),
  ...named(['const', 'enum'], { work: 5, reads: 'number', visits: 'keysOfContainers' }),
  ...named(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'], {
    work: 6,
    reads: 'number',
  }),
  ...named(['multipleOf'], { work: 40, reads: 'number' }),
  ...named(['items'], { shape: 'schema', work: 2, visits: 'children' }),
  ...named(['additionalProperties', 'propertyNames', 'contains'], {
    shape: 'schema',
    work: 4,
    visits: 'children',
  }),
  ...named(['not', 'if', 'then', 'else'], { shape: 'schema', work: 4 }),
  ...named(['prefixItems', 'allOf', 'anyOf', 'oneOf'], { shape: 'schemas', work: 4 }),
  ...named(['properties', 'dependentSchemas'], { shape: 'schemaMap', work: 2 }),
]);

/** Keyword of a filter: the schemas in its value, and the work that it makes. */
export interface FilterKeyword {
  /** Place of the schemas in the keyword's value. */
  readonly shape: 'value' | 'schema' | 'schemas' | 'schemaMap';
  /** Steps for one value of the payload, without those of the schemas in it: filter-work.ts. */
  readonly work: number;
  /**
   * Values of the payload that it visits below the one that it applies to. `children`: its schema
   * applies to each of them. `keysOfContainers`: keys, for each object or list in the keyword's
   * value. Default: none.
   */
  readonly visits?: 'children' | 'keys' | 'keysOfContainers';
  /** Kind of values that it reads to their end, however long they are. Default: none. */
  readonly reads?: 'text' | 'number';
}

/** Returns the schemas in a keyword's value, or what is in their place. */
export function subschemas({ shape }: FilterKeyword, value: unknown): unknown[] {
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

function named(
  names: readonly string[],
  keyword: Partial<FilterKeyword> & Pick<FilterKeyword, 'work'>,
): [string, FilterKeyword][] {
  return names.map((name) => [name, { shape: 'value', ...keyword }]);
}
