import { CloudEvent, type CloudEventV1, Kafka } from 'cloudevents';
import type { OutgoingRecord, StoredRecord } from '../src/record.js';

/** Content modes of the Kafka binding. */
export const modes: readonly ('binary' | 'structured')[] = ['binary', 'structured'];

/** Attributes of the events of tests. None of them is one that the envelope has under its name. */
export const attributes = {
  id: 'A-1',
  source: 'https://shop.example/orders?a=1#%C3%BC',
  subject: 'Straße 1',
  // In the form that the SDK writes in structured mode, whatever form it was given.
  time: '2026-01-02T03:04:05.120Z',
  partitionkey: 'customer 7',
  sequence: '5',
};

/** Data of every kind, with its content type. */
export const dataOfEveryKind: readonly (readonly [contentType: string, data: unknown])[] = [
  ['application/json', { total: 3, nested: [1.5, null, 'é'] }],
  ['application/json', [1, 2]],
  ['application/json', 'text'],
  ['application/json', 7],
  ['application/json', true],
  ['text/plain', 'one\ntwo é'],
  ['application/xml; charset=utf-8', '<a>é</a>'],
  ['application/octet-stream', Uint8Array.of(0, 255, 1)],
];

/** Creates an event as publishers that use the CloudEvents SDK do. */
export function cloudEvent(fields: Partial<CloudEventV1<unknown>>): CloudEvent<unknown> {
  return new CloudEvent<unknown>({ ...attributes, type: 'com.example.placed', ...fields }, false);
}

/** Returns the Kafka message of an event. The SDK leaves the data of a binary one to its caller. */
export function toMessage(
  event: CloudEvent<unknown>,
  mode: (typeof modes)[number],
): { key: string; value: Buffer | null; headers: Record<string, string> } {
  const { headers, value } = Kafka[mode](event);
  const given = Object.entries(headers).filter(([, text]) => text !== undefined);
  return {
    key: `${event.partitionkey}`,
    value: value === undefined ? null : toBytes(value, headers['content-type']),
    headers: Object.fromEntries(given.map(([name, text]) => [name, String(text)])),
  };
}

function toBytes(value: unknown, contentType: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value === 'string' && contentType !== 'application/json') return Buffer.from(value);
  return Buffer.from(JSON.stringify(value));
}

/** Returns the record of an event, for drivers. */
export function toRecord(event: CloudEvent<unknown>, mode: (typeof modes)[number]): OutgoingRecord {
  const { key, value, headers } = toMessage(event, mode);
  return { key: Buffer.from(key), value, headers };
}

/** Reads a record as the SDK's users do. */
export function readBySdk({ key, value, headers }: StoredRecord): CloudEvent<unknown> {
  const message = { key: key?.toString() ?? '', value: value?.toString(), headers, body: value };
  return Kafka.toEvent(message as never) as CloudEvent<unknown>;
}

const key = Buffer.from('k');
const headers = { ce_specversion: '1.0', ce_id: '1', ce_type: 'placed', ce_source: '/a' };
const structured = (contentType: string, value: unknown): OutgoingRecord => ({
  key,
  value: Buffer.from(JSON.stringify(value)),
  headers: { 'content-type': contentType },
});
const withoutValue = Object.entries(headers).map(([name, text]) => ({
  name,
  value: name === 'ce_id' ? null : Buffer.from(text),
}));

/** Records with the headers of a CloudEvent that cannot be read, with the reason. */
export const unreadableRecords: readonly (readonly [reason: RegExp, record: OutgoingRecord])[] = [
  [/attribute id is missing/, { key, value: null, headers: {}, rawHeaders: withoutValue }],
  [/attribute type is empty/, { key, value: null, headers: { ...headers, ce_type: '' } }],
  [/is '0\.3'/, { key, value: null, headers: { ...headers, ce_specversion: '0.3' } }],
  [/at most 65536/, { key, value: null, headers: { ...headers, ce_type: 'x'.repeat(90_000) } }],
  [/data is no attribute/, { key, value: null, headers: { ...headers, ce_data: '{}' } }],
  [
    /JSON/,
    { key, value: Buffer.from('{'), headers: { ...headers, 'content-type': 'application/json' } },
  ],
  [/avro is not supported/, structured('application/cloudevents+avro', {})],
  [/cannot have a batch/, structured('application/cloudevents-batch+json', [])],
  [/is not a CloudEvent/, structured('application/cloudevents+json', { id: '1', name: 'placed' })],
  [/is not a CloudEvent/, structured('application/cloudevents+json', null)],
  [/is '2'/, structured('Application/CloudEvents+JSON; charset=UTF-8', { specversion: '2' })],
];
