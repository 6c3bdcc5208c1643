import {
  type CloudEvent,
  type EventEnvelope,
  isCloudEventContentType,
  isJsonContentType,
  PlatformError,
  stringifyExactJson,
  toBinaryCloudEvent,
  toCloudEvent,
  toHttpHeaders,
} from '@posthaste/contracts';
import { withTrace } from '../request/trace-headers.js';
import type { EventFormat } from './event-format.js';
import { type SubscribedEvent, toEventBody } from './subscribed-event.js';

/** Headers and body of the callbacks that are made for an event. */
export interface EventMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

const envelopeHeaders: Readonly<Record<string, string>> = { 'content-type': 'application/json' };
const structuredHeaders: Readonly<Record<string, string>> = {
  'content-type': 'application/cloudevents+json; charset=utf-8',
};

/**
 * Limits of the headers of binary mode. Many servers refuse requests with more: nginx from 8 KiB of
 * one header on, Node from 16 KiB of all, Apache from 100 headers on.
 */
const maxHeaderBytes = 8 * 1024;
const maxHeaders = 64;
const fieldValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Returns a function that writes the event in a form, once for all endpoints that ask for it. */
export function createEventMessages({
  envelope,
  trace,
}: SubscribedEvent): (format: EventFormat) => EventMessage {
  const messages = new Map<EventFormat, EventMessage>();
  return (format) => {
    const known = messages.get(format);
    if (known) return known;
    const { headers, body } = toEventMessage(envelope, format);
    const message = { headers: withTrace(headers, trace) ?? headers, body };
    messages.set(format, message);
    return message;
  };
}

/**
 * Writes an event in a form. An event that can be no CloudEvent, because it has no id or no name, is
 * written as envelope, so that the receiver gets it all the same. One that does not fit into headers
 * is written in structured mode: see {@link toBinaryMessage}.
 */
function toEventMessage(envelope: EventEnvelope, format: EventFormat): EventMessage {
  const event = format === 'envelope' ? undefined : asCloudEvent(envelope);
  if (!event) return { headers: envelopeHeaders, body: toEventBody(envelope) };
  const binary = format === 'cloudevents-binary' ? toBinaryMessage(event) : undefined;
  return binary ?? { headers: structuredHeaders, body: Buffer.from(stringifyExactJson(event)) };
}

function asCloudEvent(envelope: EventEnvelope): CloudEvent | undefined {
  try {
    return toCloudEvent(envelope);
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'ENVELOPE_INVALID') return undefined;
    throw error;
  }
}

/**
 * Writes a CloudEvent in binary mode of HTTP. Returns undefined for one that the receiver would not
 * read as it is: its headers are too long or too many, its content type is no header value, says
 * JSON where the data is bytes or something else where it is JSON, names another charset than that of
 * the body, or would make the request one of structured mode, or its data is there, but empty.
 */
function toBinaryMessage(event: CloudEvent): EventMessage | undefined {
  const binary = toBinaryCloudEvent(event);
  if (!isExactType(event, binary.contentType)) return undefined;
  const body = binary.body && toBuffer(binary.body);
  if (body?.length === 0) return undefined;
  const headers = toHttpHeaders(binary);
  const entries = Object.entries(headers);
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  return entries.length <= maxHeaders && bytes <= maxHeaderBytes ? { headers, body } : undefined;
}

/**
 * True if the header says the type of the data, and the receiver reads the data by it. JSON without
 * a type has one that is implied.
 */
function isExactType(event: CloudEvent, written: string | undefined): boolean {
  if (written === undefined) return true;
  const { datacontenttype = written, data, data_base64 } = event;
  if (datacontenttype !== written) return false;
  // Text can be of any type. Bytes of a JSON type need not be JSON.
  const isFree = data_base64 === undefined && (data === undefined || typeof data === 'string');
  if (!isFree && isJsonContentType(written) !== (data !== undefined)) return false;
  return fieldValue.test(written) && !isCloudEventContentType(written);
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
