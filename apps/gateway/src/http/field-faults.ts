import { nearestName } from './nearest-name.js';

/** One field of a request that the route does not accept. */
export interface FieldFault {
  /**
   * Names joined by dots: `retryphases.0.delay`. Outside the body with `path.`, `query.` or
   * `header.`.
   */
  readonly field: string;
  readonly message: string;
}

/** A fault as validators of JSON Schema report it. */
export interface SchemaFault {
  readonly instancePath: string;
  /** Place of the violated rule in the schema. */
  readonly schemaPath?: string;
  readonly keyword: string;
  readonly params: object;
  readonly message?: string;
}

const prefixes: Readonly<Record<string, string>> = {
  body: '',
  params: 'path.',
  querystring: 'query.',
  headers: 'header.',
};

/** Keywords whose faults only repeat the more specific faults below them. */
const summaryKeywords: ReadonlySet<string> = new Set(['anyOf', 'if', 'additionalProperties']);

/** Longest name of an unknown key for which a known one is looked for: callers choose its length. */
const maxNameLength = 64;

/**
 * Returns the faults of a request by field, for `details`. `part` is Fastify's name of the part.
 * With the schema that was violated, unknown keys get the nearest key that it has.
 */
export function toFieldFaults(
  faults: readonly SchemaFault[],
  part: string,
  schema?: unknown,
): FieldFault[] {
  const specific = faults.filter((fault) => !summaryKeywords.has(fault.keyword));
  return (specific.length > 0 ? specific : faults).flatMap((fault) =>
    toFieldNames(fault).map((name) => ({
      field: `${prefixes[part] ?? ''}${name}` || part,
      message: toMessage(fault, schema),
    })),
  );
}

function toMessage(fault: SchemaFault, schema: unknown): string {
  const { keyword, params, message = 'is invalid' } = fault;
  if (keyword === 'required') return 'is missing';
  if (keyword === 'boolean') return toUnknownKeyMessage(fault, schema) ?? message;
  if ('allowedValues' in params && Array.isArray(params.allowedValues)) {
    return `must be one of ${params.allowedValues.map(String).join(', ')}`;
  }
  if ('allowedValue' in params) return `must be ${JSON.stringify(params.allowedValue)}`;
  return message;
}

/** Returns the message about a key that the schema does not have, where it allows no others. */
function toUnknownKeyMessage(
  { schemaPath = '', instancePath }: SchemaFault,
  schema: unknown,
): string | undefined {
  const [, parent] = /^#(.*)\/additionalProperties$/.exec(schemaPath) ?? [];
  if (parent === undefined) return undefined;
  const name = toPath(instancePath).at(-1) ?? '';
  const known = memberOf(resolvePointer(schema, parent), 'properties');
  const nearest =
    name.length <= maxNameLength && typeof known === 'object' && known !== null
      ? nearestName(name, Object.keys(known))
      : undefined;
  return nearest === undefined ? 'is not known' : `is not known; did you mean ${nearest}?`;
}

function resolvePointer(schema: unknown, pointer: string): unknown {
  return toPath(pointer).reduce(memberOf, schema);
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function toFieldNames({ instancePath, keyword, params }: SchemaFault): string[] {
  const parent = toPath(instancePath);
  const missing =
    keyword === 'required' && 'requiredProperties' in params
      ? params.requiredProperties
      : undefined;
  if (!Array.isArray(missing)) return [parent.join('.')];
  return missing.map((name) => [...parent, String(name)].join('.'));
}

/** Returns the names of a JSON pointer. It writes `/` as `~1` and `~` as `~0` (RFC 6901). */
function toPath(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
