/** One field of a request that is not as the route takes it. */
export interface FieldFault {
  /** Names joined by dots: `retryphases.0.delay`; outside the body with `path.`, `query.` or `header.` before. */
  readonly field: string;
  readonly message: string;
}

/** What validators of JSON Schema report. */
export interface SchemaFault {
  readonly instancePath: string;
  /** Where in the schema; what the rule is the keyword of. */
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

/** Keywords that only repeat what the faults below them say. */
const summaries: ReadonlySet<string> = new Set(['anyOf', 'if', 'additionalProperties']);

/** The faults of a request by field, for `details`. `part` is Fastify's name of where they are. */
export function toFieldFaults(faults: readonly SchemaFault[], part: string): FieldFault[] {
  const telling = faults.filter((fault) => !summaries.has(fault.keyword));
  return (telling.length > 0 ? telling : faults).flatMap((fault) =>
    namesOf(fault).map((name) => ({
      field: `${prefixes[part] ?? ''}${name}` || part,
      message: messageOf(fault),
    })),
  );
}

function messageOf({ keyword, schemaPath, message = 'is invalid' }: SchemaFault): string {
  if (keyword === 'required') return 'is missing';
  // A key that the schema does not have, where it allows no others.
  if (keyword === 'boolean' && schemaPath?.endsWith('/additionalProperties')) return 'is not known';
  return message;
}

function namesOf({ instancePath, keyword, params }: SchemaFault): string[] {
  const parent = instancePath
    .split('/')
    .slice(1)
    // RFC 6901: how a JSON pointer writes the two characters that it uses itself.
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const missing =
    keyword === 'required' && 'requiredProperties' in params
      ? params.requiredProperties
      : undefined;
  if (!Array.isArray(missing)) return [parent.join('.')];
  return missing.map((name) => [...parent, String(name)].join('.'));
}
