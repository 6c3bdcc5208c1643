import { isDeepStrictEqual } from 'node:util';

type Json = Readonly<Record<string, unknown>>;

/** Where data stands, which is not a schema whatever it looks like. */
const dataKeys: ReadonlySet<string> = new Set(['examples', 'example', 'default', 'enum', 'const']);

/**
 * Gives every schema with a `title` its place among the components of an OpenAPI document, and
 * refers to it from where it stood. That keeps the document readable, and gives names to what
 * generated clients call their types. A description in one place only stays there.
 * @throws Error when two different schemas have the same title
 */
export function nameSchemas(document: Json): Json {
  const { paths, components, ...rest } = document;
  const named = new Map<string, Json>();
  const namedPaths = replace(paths, named);
  const { schemas, ...others } = toJson(components);
  return {
    ...rest,
    components: { ...others, schemas: { ...toJson(schemas), ...Object.fromEntries(named) } },
    paths: namedPaths,
  };
}

function toJson(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function replace(value: unknown, named: Map<string, Json>): unknown {
  if (Array.isArray(value)) return value.map((item) => replace(item, named));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [
    key,
    dataKeys.has(key) ? member : replace(member, named),
  ]);
  const { title, ...schema } = toJson(Object.fromEntries(members));
  // Elsewhere it is a property that happens to be called so.
  if (typeof title !== 'string') return title === undefined ? schema : { title, ...schema };
  return refer(title, schema, named);
}

function refer(title: string, schema: Json, named: Map<string, Json>): Json {
  const known = named.get(title) ?? schema;
  if (!isDeepStrictEqual(formOf(schema), formOf(known))) {
    throw new Error(`two schemas are called ${title}`);
  }
  named.set(title, known);
  const { description } = schema;
  const own = description === known.description ? {} : { description };
  return { $ref: `#/components/schemas/${title}`, ...own };
}

/** What must be the same wherever the schema stands; examples of bodies stand beside them. */
function formOf({ description: _, examples: __, ...form }: Json): Json {
  return form;
}
