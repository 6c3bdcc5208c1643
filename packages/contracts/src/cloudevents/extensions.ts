/** Attributes that no key of the envelope has: its additional fields, and the source. */

import type { EventEnvelope, JsonObject, JsonValue } from '../envelope.js';
import { PlatformError } from '../errors/errors.js';
import { type EventParts, isAttributeName, isAttributeValue } from './attributes.js';
import { isEventName } from './event-name.js';
import { toJsonText } from './json-attributes.js';

/** Attributes that are the text of a JSON object. Only `toCloudEvent` writes them. */
export const jsonAttributes = ['envelopekeys', 'unknownkeys', 'additionalfields'] as const;

/** Additional field with the parts of a CloudEvent that the envelope cannot hold. */
export const originalField = 'cloudevent';

/** Attribute names that are not available to additional fields. */
const reservedNames: ReadonlySet<string> = new Set([
  ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'data'],
  ...['parentnamespace', 'unionnamespace', 'clientid', 'traceid', 'spancontext', 'sessionid'],
  ...['version', 'eventid', 'eventtype', 'eventlevel', 'service', 'clientids', 'targetuserids'],
  ...['targetnamespace', 'privacy', 'topic', 'sourcenamespace', 'namespace', 'timestamp'],
  ...['timestampunixnano', ...jsonAttributes, originalField],
]);

const sourcePrefix = '/namespaces/';

/** Attributes that follow from the envelope, and additional fields in JSON text. */
interface Given {
  readonly namespace: string;
  readonly impliedType: string | undefined;
  readonly rest: JsonObject | undefined;
}

/** Returns the additional fields: attributes that no key has, and those in JSON text. */
export function fromExtensions(
  attributes: EventParts['attributes'],
  { namespace, impliedType, rest }: Given,
): JsonObject | undefined {
  const carried: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(attributes)) {
    if (!reservedNames.has(name)) carried.push([name, value]);
  }
  const { source, datacontenttype } = attributes;
  if (source !== ownSource(namespace)) carried.push(['source', source]);
  if (datacontenttype !== undefined && datacontenttype !== impliedType) {
    carried.push(['datacontenttype', datacontenttype]);
  }
  if (carried.length === 0) return rest;
  return Object.fromEntries([...Object.entries(rest ?? {}), ...carried]);
}

/**
 * Converts additional fields to attributes where possible, and the others to JSON text.
 * @param impliedType `datacontenttype` that the event has without a field of this name
 */
export function toExtensions(
  envelope: EventEnvelope<object>,
  impliedType: string | undefined,
): Readonly<Record<string, unknown>> {
  const fields = Object.entries(envelope.additional_fields ?? {});
  if (fields.length === 0) return {};
  const source = foreignSource(envelope);
  const isCarried = (name: string, value: unknown): boolean => {
    if (name === 'source') return value === source;
    if (name === 'datacontenttype') return isFilledText(value) && value !== impliedType;
    if (name === 'dataschema') return isFilledText(value);
    return isAttributeName(name) && !reservedNames.has(name) && isAttributeValue(value);
  };
  const carried: [string, unknown][] = [];
  const rest: [string, unknown][] = [];
  for (const [name, value] of fields) {
    (isCarried(name, value) ? carried : rest).push([name, value]);
  }
  if (rest.length === 0) return Object.fromEntries(carried);
  return { ...Object.fromEntries(carried), additionalfields: toJsonText(Object.fromEntries(rest)) };
}

/** Returns the source that a foreign event came with; undefined if it follows from the namespace. */
export function foreignSource({
  namespace,
  additional_fields,
}: EventEnvelope<object>): string | undefined {
  const source = additional_fields?.source;
  if (!isFilledText(source) || source === ownSource(namespace)) return undefined;
  // Read again, it would be the source of a namespace.
  return namespace === '' && namespaceIn(source) !== undefined ? undefined : source;
}

function isFilledText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && isAttributeValue(value);
}

/** Returns the source of a namespace. @throws PlatformError `ENVELOPE_INVALID` if it is not UTF-8 */
export function ownSource(namespace: string): string {
  if (namespace.isWellFormed()) return sourcePrefix + encodeURIComponent(namespace);
  throw new PlatformError('ENVELOPE_INVALID', 'the namespace contains half of a surrogate pair');
}

/** Returns the namespace of an event: its extension, else the one in its source, else ''. */
export function namespaceOf({ namespace, source }: EventParts['attributes']): string {
  if (typeof namespace === 'string' && isEventName(namespace)) return namespace;
  return namespaceIn(source) ?? '';
}

/** Returns the namespace in a source. Undefined: the source is a foreign one. */
function namespaceIn(source: string): string | undefined {
  if (!source.startsWith(sourcePrefix)) return undefined;
  const namespace = source.slice(sourcePrefix.length);
  return namespace === '' || isEventName(namespace) ? namespace : undefined;
}
