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

/**
 * Returns the faults of a request by field, for `details`. `part` is Fastify's name of the part.
 */
export function toFieldFaults(faults: readonly SchemaFault[], part: string): FieldFault[] {
  const specific = faults.filter((fault) => !summaryKeywords.has(fault.keyword));
  return (specific.length > 0 ? specific : faults).flatMap((fault) =>
    toFieldNames(fault).map((name) => ({
      field: `${prefixes[part] ?? ''}${name}` || part,
      message: toMessage(fault),
    })),
  );
}

function toMessage({ keyword, schemaPath, message = 'is invalid' }: SchemaFault): string {
  if (keyword === 'required') return 'is missing';
  // A key that the schema does not have, where it allows no others.
  if (keyword === 'boolean' && schemaPath?.endsWith('/additionalProperties')) return 'is not known';
  return message;
}

function toFieldNames({ instancePath, keyword, params }: SchemaFault): string[] {
  const parent = instancePath
    .split('/')
    .slice(1)
    // RFC 6901: a JSON pointer writes `/` as `~1` and `~` as `~0`.
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const missing =
    keyword === 'required' && 'requiredProperties' in params
      ? params.requiredProperties
      : undefined;
  if (!Array.isArray(missing)) return [parent.join('.')];
  return missing.map((name) => [...parent, String(name)].join('.'));
}
