type Json = Readonly<Record<string, unknown>>;

/**
 * Marks the bodies that a schema allows to be null as not required, and takes null out of their
 * schemas: a request without a body reaches the schema as null, but nobody sends `null`.
 */
export function markOptionalBodies(document: Json): Json {
  return { ...document, paths: mapMembers(document.paths, (path) => mapMembers(path, withBody)) };
}

function withBody(operation: unknown): unknown {
  if (!isJson(operation) || !isJson(operation.requestBody)) return operation;
  const { content } = operation.requestBody;
  let isOptional = false;
  const media = mapMembers(content, (type) => {
    if (!isJson(type) || !isJson(type.schema) || !allowsNull(type.schema)) return type;
    isOptional = true;
    return { ...type, schema: { ...type.schema, type: 'object' } };
  });
  if (!isOptional) return operation;
  return {
    ...operation,
    requestBody: { ...operation.requestBody, required: false, content: media },
  };
}

function allowsNull({ type }: Json): boolean {
  return Array.isArray(type) && type.includes('object') && type.includes('null');
}

function mapMembers(value: unknown, change: (member: unknown) => unknown): unknown {
  if (!isJson(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, change(member)]));
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
