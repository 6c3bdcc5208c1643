/** Headers of CloudEvents in the binary mode of the HTTP binding (§3.1.3). */

import { invalid } from './attributes.js';
import { type BinaryCloudEvent, decodeUtf8 } from './binary-mode.js';

/** Headers of a message by name. A list has the values of a header that was sent more than once. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const prefix = 'ce-';
/** Characters that must be encoded: outside visible ASCII, and `"` and `%`. */
const encodedCharacters = /[^!#$&-~]+/g;
const invisible = /[^ -~]+/g;
const encodedRuns = /(?:%[0-9A-Fa-f]{2})+/g;
const shownLength = 64;

/** Returns the headers of an event: `ce-` attributes, percent-encoded, and `content-type`. */
export function toHttpHeaders({
  attributes,
  contentType,
}: Pick<BinaryCloudEvent, 'attributes' | 'contentType'>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) {
    headers[prefix + name] = encode(value, encodedCharacters);
  }
  // The header has no encoding of its own, and clients refuse other characters.
  if (contentType !== undefined) headers['content-type'] = encode(contentType, invisible);
  return headers;
}

/**
 * Returns the attributes in the headers of a message, and its content type. Other headers are left
 * out. Names are matched without regard to case. Bytes beyond ASCII, which Node gives as Latin-1, are
 * read as UTF-8 if they are.
 * @throws PlatformError `ENVELOPE_INVALID` with `details.field` if an attribute is given twice, or
 *   its encoded bytes are not UTF-8
 */
export function fromHttpHeaders(
  headers: HttpHeaders,
): Pick<BinaryCloudEvent, 'attributes' | 'contentType'> {
  const attributes: [string, string][] = [];
  const names = new Set<string>();
  let contentType: string | undefined;
  for (const [given, value] of Object.entries(headers)) {
    const header = given.toLowerCase();
    if (value === undefined || !(header.startsWith(prefix) || header === 'content-type')) continue;
    const [text = '', ...others] = typeof value === 'string' ? [value] : value;
    if (others.length > 0 || names.has(header)) throw givenTwice(header);
    names.add(header);
    if (header === 'content-type') contentType = text;
    else attributes.push([header.slice(prefix.length), decode(header, text)]);
  }
  return { attributes: Object.fromEntries(attributes), contentType };
}

function givenTwice(header: string): Error {
  const field = header === 'content-type' ? 'datacontenttype' : header.slice(prefix.length);
  return invalid(field, `the header ${header.slice(0, shownLength)} is given more than once`);
}

function encode(value: string, characters: RegExp): string {
  // A half surrogate pair has no encoding.
  return value.toWellFormed().replace(characters, (run) =>
    // Every character of the run: encodeURIComponent leaves none of those that can be in it.
    encodeURIComponent(run),
  );
}

function decode(header: string, value: string): string {
  return fromLatin1(unquote(value)).replace(encodedRuns, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      const message = `the header ${header.slice(0, shownLength)} has '${run.slice(0, shownLength)}', which is not the encoding of UTF-8`;
      throw invalid(header.slice(prefix.length), message);
    }
  });
}

/** Returns the text of a quoted string (RFC 9110 §5.6.4). Older senders quote values with spaces. */
function unquote(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(value)?.[1];
  return quoted === undefined ? value : quoted.replace(/\\(.)/gs, '$1');
}

function fromLatin1(value: string): string {
  const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
  // Another client may have decoded the bytes already: then a character is more than a byte.
  const isBytes = value.split('').every((character, i) => character.charCodeAt(0) === bytes[i]);
  return isBytes ? (decodeUtf8(bytes) ?? value) : value;
}
