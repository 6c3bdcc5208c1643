import { isDeepStrictEqual } from 'node:util';

type Json = Readonly<Record<string, unknown>>;

/** Keys below which there is data, which is no schema even if it looks like one. */
const dataKeys: ReadonlySet<string> = new Set(['examples', 'example', 'default', 'enum', 'const']);

/**
 * Moves every schema with a `title` to the components of an OpenAPI document and puts a reference
 * in its place. The document gets shorter, and generated clients get names for their types. A
 * description that differs from that of the component stays beside the reference.
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
  // A title that is no text is a property with this name.
  if (typeof title !== 'string') return title === undefined ? schema : { title, ...schema };
  return toReference(title, schema, named);
}

/** Registers a schema under its title and returns the reference to it. */
function toReference(title: string, schema: Json, named: Map<string, Json>): Json {
  const known = named.get(title) ?? schema;
  if (!isDeepStrictEqual(withoutNotes(schema), withoutNotes(known))) {
    throw new Error(`two different schemas have the title ${title}; rename one of them`);
  }
  named.set(title, known);
  const { description } = schema;
  const own = description === known.description ? {} : { description };
  return { $ref: `#/components/schemas/${title}`, ...own };
}

/** Returns the parts of a schema that must be the same wherever its title is used. */
function withoutNotes({ description: _, examples: __, ...rest }: Json): Json {
  return rest;
}
