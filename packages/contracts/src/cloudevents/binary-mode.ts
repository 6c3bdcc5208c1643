/**
 * CloudEvents in binary mode, as the HTTP and Kafka bindings have it in common: attributes as text in
 * headers, data as the bytes of the body.
 */

import type { JsonValue } from '../envelope.js';
import { parseJsonWithDigits, stringifyExactJson } from '../exact-json.js';
import { invalid, parseEventParts } from './attributes.js';
import type { CloudEvent } from './cloudevents.js';

/** A CloudEvent in binary mode, before its attributes are encoded as headers. */
export interface BinaryCloudEvent {
  /** Attributes by name, as plain text, without `datacontenttype`. */
  readonly attributes: Readonly<Record<string, string>>;
  /** `datacontenttype`, which is the content type of the message. */
  readonly contentType: string | undefined;
  /** Undefined: the event has no data. */
  readonly body: Uint8Array | undefined;
}

/** Kind of data that a content type has. */
type DataKind = 'json' | 'text' | 'bytes';

const jsonType = 'application/json';
const cloudEventPrefix = 'application/cloudevents';
const shownLength = 64;
const charsetPattern = /;\s*charset\s*=\s*("?)([^\s";]*)\1/i;
/** Charsets whose bytes are UTF-8. */
const utf8Charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
const textTypes: ReadonlySet<string> = new Set([
  'application/xml',
  'application/x-www-form-urlencoded',
  'application/yaml',
  'application/javascript',
  'application/ecmascript',
  'application/graphql',
  'application/sql',
]);

/**
 * Converts a CloudEvent to binary mode. JSON without a content type gets `application/json`. Text is
 * written as UTF-8, and a content type that names another charset gets this one.
 */
export function toBinaryCloudEvent(event: CloudEvent): BinaryCloudEvent {
  const { data, data_base64, datacontenttype, ...attributes } = event;
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {
    attributes: Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    ...toContent(datacontenttype, data, data_base64),
  };
}

function toContent(
  contentType: string | undefined,
  data: unknown,
  base64: string | undefined,
): Pick<BinaryCloudEvent, 'contentType' | 'body'> {
  if (base64 !== undefined) return { contentType, body: fromBase64(base64) };
  if (data === undefined) return { contentType, body: undefined };
  const isText =
    typeof data === 'string' && contentType !== undefined && kindOf(contentType) !== 'json';
  const body = new TextEncoder().encode(isText ? data : stringifyExactJson(data));
  return { contentType: contentType === undefined ? jsonType : toUtf8Type(contentType), body };
}

/**
 * Converts a message in binary mode to a CloudEvent, which `fromCloudEvent` takes. The body of a JSON
 * content type is parsed, with all digits. That of a text type is text if it is UTF-8. Any other is
 * bytes. An empty body is no data.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` if it is not a CloudEvent 1.0, or its
 *   JSON is not valid
 */
export function fromBinaryCloudEvent({
  attributes,
  contentType,
  body,
}: BinaryCloudEvent): CloudEvent {
  const { datacontenttype = contentType, data, data_base64, ...others } = attributes;
  if (data !== undefined || data_base64 !== undefined) {
    const name = data === undefined ? 'data_base64' : 'data';
    throw invalid(name, `${name} is no attribute; the data of the event is the body`);
  }
  // Some senders repeat the content type as an attribute, which the bindings do not allow.
  if (contentType !== undefined && datacontenttype !== contentType) {
    throw invalid('datacontenttype', 'the attribute datacontenttype is not the content type');
  }
  const type = datacontenttype === '' ? undefined : datacontenttype;
  const event = { ...others, ...(type !== undefined && { datacontenttype: type }) };
  // Before the body is parsed: faults of attributes say more.
  parseEventParts(event);
  return { ...event, ...parseBody(type, body) } as unknown as CloudEvent;
}

function parseBody(
  contentType: string | undefined,
  body: Uint8Array | undefined,
): { readonly data?: JsonValue; readonly data_base64?: string } {
  if (body === undefined || body.length === 0) return {};
  const kind = contentType === undefined ? 'bytes' : kindOf(contentType);
  if (kind === 'json') return { data: parseJson(String(contentType), body) };
  const text = kind === 'text' ? decodeUtf8(body) : undefined;
  return text === undefined ? { data_base64: toBase64(body) } : { data: text };
}

function parseJson(contentType: string, body: Uint8Array): JsonValue {
  const type = contentType.slice(0, shownLength);
  const text = decodeUtf8(body);
  if (text === undefined) {
    throw invalid(
      'data',
      `the data is not UTF-8, which JSON must be (its content type is ${type})`,
    );
  }
  try {
    return parseJsonWithDigits(text) as JsonValue;
  } catch (cause) {
    // The parser recurses for texts with long numbers.
    const fault = cause instanceof RangeError ? 'is nested too deeply' : 'is not valid JSON';
    throw invalid('data', `the data ${fault} (its content type is ${type})`, cause);
  }
}

/**
 * True if the content type says that the body is a whole CloudEvent or a batch, in whatever format:
 * `application/cloudevents+json`, for example.
 */
export function isCloudEventContentType(contentType: string): boolean {
  return (
    contentType.trimStart().slice(0, cloudEventPrefix.length).toLowerCase() === cloudEventPrefix
  );
}

/** True if data of this content type is JSON: `application/json`, or a type that ends in `+json`. */
export function isJsonContentType(contentType: string): boolean {
  return kindOf(contentType) === 'json';
}

function kindOf(contentType: string): DataKind {
  const [mediaType = ''] = contentType.split(';', 1);
  const type = mediaType.trim().toLowerCase();
  if (/^[^/]+\/(?:json|[^/]+\+json)$/.test(type)) return 'json';
  const charset = charsetOf(contentType);
  if (charset !== undefined) return utf8Charsets.has(charset) ? 'text' : 'bytes';
  const isText = type.startsWith('text/') || type.endsWith('+xml') || textTypes.has(type);
  return isText ? 'text' : 'bytes';
}

function charsetOf(contentType: string): string | undefined {
  return charsetPattern.exec(contentType)?.[2]?.toLowerCase();
}

/** Names UTF-8 in a content type that names a charset which the text is not written in. */
function toUtf8Type(contentType: string): string {
  const charset = charsetOf(contentType);
  if (charset === undefined || utf8Charsets.has(charset)) return contentType;
  return contentType.replace(charsetPattern, '; charset=utf-8');
}

/** Decodes UTF-8, a byte order mark included. Returns undefined for other bytes. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes that are converted at once: more arguments could exceed the stack. */
const chunkBytes = 8_192;

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    binary += String.fromCharCode(...bytes.subarray(start, start + chunkBytes));
  }
  return btoa(binary);
}

function fromBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
