import {
  type EventEnvelope,
  fromCloudEvent,
  parseEnvelope,
  parseJsonWithDigits,
  stringifyExactJson,
} from '@posthaste/contracts';
import type { ReceivedRequest } from '@posthaste/testbed';
import { type CloudEvent, HTTP } from 'cloudevents';
import { expect } from 'vitest';
import { toEventBody } from '../src/events/subscribed-event.js';

const json = 'application/json';

/** A CloudEvent in JSON. */
export type CloudEventJson = Readonly<Record<string, unknown>>;

/** A CloudEvent with only what it must have. */
export const plain: CloudEventJson = {
  specversion: '1.0',
  id: '1',
  source: '/s',
  type: 'order.placed',
};
/** A CloudEvent with attributes that an envelope does not hold. */
export const foreign: CloudEventJson = {
  specversion: '1.0',
  id: 'größer "7"% \u{1F600}',
  source: 'https://例え.jp/orders?a=b&c=100%25',
  type: '/a b/事件',
  subject: 'Stück, 5 %',
  time: '2026-01-02T03:04:05.123456789+02:00',
  dataschema: 'https://example.com/schema',
  partitionkey: 'k',
  version: 'v2',
  privacy: 'high',
  comexampleextension: 'with  spaces ',
};
/** Bytes that are no UTF-8. */
const bytes = Buffer.from([0, 255, 1, 254, 10, 13]);
export const base64 = bytes.toString('base64');
/** Text that is changed by what does not send it byte for byte. */
export const text = '\ufeffgrüße\r\n\u{1F600} "%41"';

/** Data by content type, with the bytes that are its body. */
export const kinds: readonly [name: string, data: CloudEventJson, body: Buffer | string][] = [
  ['an object', { datacontenttype: json, data: { a: [1, 'ü'] } }, '{"a":[1,"ü"]}'],
  ['an empty object', { datacontenttype: json, data: {} }, '{}'],
  ['a list', { datacontenttype: json, data: [1, null] }, '[1,null]'],
  ['a text in JSON', { datacontenttype: json, data: 'a "ü"' }, '"a \\"ü\\""'],
  ['JSON of a type of its own', { datacontenttype: 'application/x+json', data: [1] }, '[1]'],
  ['text', { datacontenttype: 'text/plain', data: text }, text],
  ['XML', { datacontenttype: 'application/xml', data: '<a>ü</a>' }, '<a>ü</a>'],
  ['bytes', { datacontenttype: 'image/png', data_base64: base64 }, bytes],
  ['bytes without a content type', { data_base64: base64 }, bytes],
  ['no data', {}, ''],
  ['no data, with a content type', { datacontenttype: 'text/plain' }, ''],
];

/** Data that the package `cloudevents` does not read as it is: only the request is checked. */
export const unreadKinds: readonly [name: string, data: CloudEventJson, body: string][] = [
  ['a number', { datacontenttype: json, data: 42 }, '42'],
  ['zero', { datacontenttype: json, data: 0 }, '0'],
  ['false', { datacontenttype: json, data: false }, 'false'],
  ['null', { datacontenttype: json, data: null }, 'null'],
];

/** Returns the envelope as it comes from the log. */
export function envelopeOf(event: CloudEventJson | string): EventEnvelope {
  const source = typeof event === 'string' ? event : stringifyExactJson(event);
  const written = toEventBody(fromCloudEvent(parseJsonWithDigits(source)));
  return parseEnvelope(parseJsonWithDigits(written.toString()));
}

/** Reads a request with the package `cloudevents`, as receivers do that get bodies as text. */
export function read(request: ReceivedRequest, isBytes = false): CloudEvent {
  const { headers } = request;
  const body = isBytes ? request.body : request.body.toString();
  const message = {
    headers: headers as Record<string, string>,
    body: body.length > 0 ? body : undefined,
  };
  return HTTP.toEvent(message) as CloudEvent;
}

/** Decodes attributes of binary mode, which the package `cloudevents` leaves encoded. */
export function decoded(event: CloudEvent): Record<string, unknown> {
  const attributes = Object.entries(event.toJSON()).map(([name, value]) => {
    const isAttribute = typeof value === 'string' && name !== 'data' && name !== 'data_base64';
    return [name, isAttribute ? decodeURIComponent(value) : value];
  });
  return Object.fromEntries(attributes);
}

/** Returns what `HTTP.toEvent` makes of an event: times in milliseconds, no null. */
export function asRead({ time, ...event }: CloudEventJson): Record<string, unknown> {
  return { ...event, time: time === undefined ? expect.any(String) : '2026-01-02T01:04:05.123Z' };
}
