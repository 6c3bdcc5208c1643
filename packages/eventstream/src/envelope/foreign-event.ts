/**
 * CloudEvents that other publishers write to a stream, in the two modes of the Kafka binding:
 *
 * | mode       | `content-type`              | value     | attributes                             |
 * | ---------- | --------------------------- | --------- | -------------------------------------- |
 * | structured | `application/cloudevents+…` | the event | in the value; headers do not count     |
 * | binary     | `datacontenttype`, or none  | the data  | in `ce_*`; `ce_specversion` is present |
 *
 * A record of this package is in binary mode too, with an envelope as its data: decode-record.ts
 * recognizes it first.
 */

import {
  type BinaryCloudEvent,
  fromBinaryCloudEvent,
  hasInfiniteNumber,
  isCloudEventContentType,
  PlatformError,
} from '@posthaste/contracts';
import type { StoredRecord } from '../record.js';
import { hasHeader } from '../record-headers.js';

const prefix = 'ce_';
const mediaType = 'application/cloudevents';
const jsonMediaTypes: readonly string[] = [mediaType, `${mediaType}+json`];

/** Most characters of all attributes. Longer ones would only block what handles the event later. */
const maxAttributeLength = 65_536;

/** Parser of JSON text. */
type JsonParser = (text: string) => unknown;

/** Mode of a record that is a CloudEvent. */
export type CloudEventMode = 'binary' | 'structured';

/**
 * Returns the mode of a record that has the headers of a CloudEvent, else undefined. Headers become
 * texts only if the record has a content type.
 */
export function modeOf(record: StoredRecord): CloudEventMode | undefined {
  const isBinary = hasHeader(record, 'ce_specversion');
  if (!hasHeader(record, 'content-type')) return isBinary ? 'binary' : undefined;
  if (isCloudEventContentType(record.headers['content-type'] ?? '')) return 'structured';
  return isBinary ? 'binary' : undefined;
}

/**
 * Parses the CloudEvent in a record, for `fromCloudEvent`.
 * @throws PlatformError `ENVELOPE_INVALID` if the record has none that can be read
 */
export function parseForeignEvent(
  record: StoredRecord,
  mode: CloudEventMode,
  parseJson: JsonParser,
): object {
  const event =
    mode === 'structured'
      ? parseStructured(record, parseJson)
      : fromBinaryCloudEvent(toBinary(record));
  checkAttributes(event);
  return event;
}

function parseStructured({ headers, value }: StoredRecord, parseJson: JsonParser): object {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  const format = type.trim().toLowerCase();
  if (!jsonMediaTypes.includes(format)) {
    const isBatch = format.startsWith(`${mediaType}-batch`);
    throw invalid(
      isBatch
        ? `a record cannot have a batch (${type.trim()}); write each event as a record of its own`
        : `the format ${type.trim()} is not supported; use ${mediaType}+json, or the binary mode`,
    );
  }
  const event = parseText(value?.toString() ?? '', parseJson);
  if (typeof event === 'object' && event !== null && 'specversion' in event) return event;
  throw invalid(`the value is not a CloudEvent, which the content type ${type.trim()} says it is`);
}

function parseText(text: string, parseJson: JsonParser): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw invalid('the CloudEvent is not JSON', cause);
  }
}

function toBinary({ headers, value }: StoredRecord): BinaryCloudEvent {
  const named = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  // fromEntries, because assigning to the key `__proto__` would not define a key.
  const attributes = Object.fromEntries(
    named.map(([name, text]) => [name.slice(prefix.length), text] as const),
  );
  return { attributes, contentType: headers['content-type'], body: value ?? undefined };
}

function checkAttributes(event: object): void {
  const {
    data: _,
    data_base64: _bytes,
    ...attributes
  } = event as Readonly<Record<string, unknown>>;
  let length = 0;
  for (const text of Object.values(attributes)) {
    if (typeof text === 'string') length += text.length;
  }
  if (length > maxAttributeLength) {
    throw invalid(
      `the attributes of the CloudEvent have ${length} characters; at most ${maxAttributeLength} are allowed`,
    );
  }
  if (hasInfiniteNumber(event)) throw invalid('the CloudEvent has a number that is too large');
}

function invalid(message: string, cause?: unknown): PlatformError {
  return new PlatformError('ENVELOPE_INVALID', message, { cause });
}
