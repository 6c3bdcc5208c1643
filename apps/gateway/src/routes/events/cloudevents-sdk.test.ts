import type { AddressInfo } from 'node:net';
import { fromBinaryCloudEvent, toBinaryCloudEvent, toHttpHeaders } from '@posthaste/contracts';
import { CloudEvent, type CloudEventV1, HTTP, type Message } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListAnswer, Published } from '../../../test/publishing.js';
import { openTestEvents, type TestEvents } from '../../../test/test-events.js';

const base = { id: '1', source: '/namespaces/shop', type: 'order.placed', specversion: '1.0' };
const json = 'application/json';
const time = '2026-01-02T03:04:05.678Z';

/** Events of every kind that the specification allows, as an application makes them. */
const kinds: readonly (readonly [string, Partial<CloudEventV1<unknown>>])[] = [
  ['an object', { data: { total: 3, lines: [{ sku: 'ü' }] }, datacontenttype: json }],
  ['an empty object', { data: {}, datacontenttype: json }],
  ['a list', { data: [1, 'a', null], datacontenttype: `${json}; charset=utf-8` }],
  ['a number', { data: 1.5, datacontenttype: json }],
  ['null', { data: null, datacontenttype: json }],
  ['true', { data: true, datacontenttype: 'application/vnd.example+json' }],
  ['plain text', { data: 'Grüße,\n事件', datacontenttype: 'text/plain' }],
  ['XML', { data: '<a b="ü"/>', datacontenttype: 'application/xml' }],
  ['bytes', { data: Uint8Array.of(0, 255, 13, 10), datacontenttype: 'application/octet-stream' }],
  ['bytes of a text type', { data: Uint8Array.of(255, 254), datacontenttype: 'image/svg+xml' }],
  ['no data', { datacontenttype: json }],
  ['a type with other characters', { type: '/a b/事件:v1' }],
  ['a type of no letters', { type: '事件' }],
  ['a long type', { type: `com.example.${randomText(10_000)}` }],
  ['a foreign source', { source: 'https://shop.example/orders?a=1#b' }],
  ['a long source', { source: `urn:${randomText(3_000)}` }],
  ['a source that is no valid namespace', { source: '/namespaces/a/b' }],
  ['a subject with other characters', { subject: 'Grüße "7" 😀' }],
  ['a time with an offset', { time: '2026-01-02T03:04:05.123456+01:00' }],
  ['a data schema', { dataschema: 'https://shop.example/order.json' }],
  ['extensions', { partitionkey: 'k', sampled: true, sequence: 12, comexample: '' }],
  [
    'the trace of an extension',
    { traceparent: `00-${'0af7651916cd43dd'.repeat(2)}-b7ad6b7169203331-01` },
  ],
  ['extensions that are keys of the envelope', { version: 'v2', privacy: 'high', clientids: '[' }],
  ['extensions with values of the envelope', { version: '2', eventid: 7, namespace: 'game' }],
  ['extensions of conversions', { unknownkeys: '{"a":1}', additionalfields: '{}', timestamp: 'x' }],
];

/** Text that does not compress. */
function randomText(length: number): string {
  let state = 7;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(97 + (state % 26));
  }).join('');
}

const plain = (event: unknown): unknown => JSON.parse(JSON.stringify(event));

describe('CloudEvents of the SDK', () => {
  let gateway: TestEvents;
  let url = '';
  let topics = 0;

  beforeAll(async () => {
    gateway = await openTestEvents({ engine: 'embedded' });
    await gateway.app.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${(gateway.app.server.address() as AddressInfo).port}/v1/events`;
  });
  afterAll(() => gateway.close());

  /** Sends a message of the SDK to a topic of its own. Headers are sent as UTF-8. */
  async function send<T>({ headers, body }: Message): Promise<{ topic: string; answer: T }> {
    topics += 1;
    const topic = `topic-${topics}`;
    const sent = Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Buffer.from(String(value)).toString('latin1')] as const],
    );
    const answer = await fetch(`${url}?topic=${topic}`, {
      method: 'POST',
      headers: Object.fromEntries(sent),
      body:
        body === undefined
          ? null
          : ArrayBuffer.isView(body)
            ? Buffer.from(body.buffer, body.byteOffset, body.byteLength)
            : String(body),
    });
    return { topic, answer: (await answer.json()) as T };
  }

  /** Reads the events of a topic, as the SDK has them. */
  async function read(topic: string): Promise<CloudEvent<unknown>[]> {
    const answer = await fetch(`${url}?topic=${topic}&format=cloudevents`);
    const { items } = (await answer.json()) as { items: { event: CloudEventV1<unknown> }[] };
    return items.map(({ event }) => new CloudEvent(event));
  }

  it.each(kinds)('come out as they went in, structured, with %s', async (_kind, fields) => {
    const event = new CloudEvent({ ...base, time, ...fields });
    const { topic, answer } = await send<Published>(HTTP.structured(event));
    expect(answer).toMatchObject({ id: '1', topic, offset: 0 });
    expect((await read(topic)).map(plain)).toEqual([plain(event)]);
  });

  it.each(kinds)('come out as they went in, binary, with %s', async (_kind, fields) => {
    const event = new CloudEvent({ ...base, time, datacontenttype: json, ...fields });
    const { topic, answer } = await send<Published>(HTTP.binary(event));
    expect(answer).toMatchObject({ id: '1', topic, offset: 0 });
    // Headers are text, and the SDK writes times in UTC.
    const texts = Object.entries(fields).flatMap(([name, value]) =>
      typeof value === 'boolean' || typeof value === 'number' ? [[name, String(value)]] : [],
    );
    const { data: _, ...attributes } = Object.fromEntries(texts);
    expect((await read(topic)).map(plain)).toEqual([
      { ...(plain(event) as object), ...attributes },
    ]);
  });

  it('come out as they went in, as a batch', async () => {
    const events = kinds.map(
      ([, fields], i) =>
        new CloudEvent({ ...base, time, partitionkey: 'k', ...fields, id: `${i}` }),
    );
    const headers = { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' };
    const body = `[${events.map((event) => HTTP.structured(event).body).join()}]`;
    const { topic, answer } = await send<ListAnswer>({ headers, body });
    expect(answer.items.map(({ status }) => status)).toEqual(events.map(() => 201));
    expect((await read(topic)).map(plain)).toEqual(events.map(plain));
  });

  it('come out byte for byte, percent-encoded and as the SDK reads binary mode', async () => {
    const given = { ...base, specversion: '1.0', subject: '50% "ü"', source: '/a%20b' } as const;
    const bytes = Buffer.from('\ufeffü\r\n');
    const message = fromBinaryCloudEvent({
      attributes: given,
      contentType: 'text/plain; charset=utf-8',
      body: bytes,
    });
    const { topic } = await send({
      headers: toHttpHeaders(toBinaryCloudEvent(message)),
      body: bytes,
    });
    const [event] = await read(topic);
    expect(event?.toJSON()).toMatchObject(message);
    expect(Buffer.from(String(event?.data))).toEqual(bytes);
  });

  it('come to followers and as dead letters as they went in', async () => {
    const event = new CloudEvent({ ...base, time, type: '/a b', data: [1] });
    const { topic } = await send(HTTP.structured(event));
    const stream = await fetch(`${url}?topic=${topic}&format=cloudevents&from=beginning`, {
      headers: { accept: 'text/event-stream' },
    });
    let text = '';
    for await (const chunk of stream.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes('data: ')) break;
    }
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? '{}';
    expect(JSON.parse(data)).toMatchObject({ event: plain(event) as object });
    const { records } = await gateway.log.listEvents({ within: 'all', topics: [topic] });
    await gateway.db.transaction((tx) =>
      gateway.log.append(
        tx,
        records.map((record) => ({ ...record, topic: `${topic}.dlq` })),
      ),
    );
    const letters = await fetch(`${url}/dead-letters?topic=${topic}&format=cloudevents`);
    expect(await letters.json()).toMatchObject({ items: [{ event: plain(event) }] });
  });

  it('are repeated, whatever the mode and the text of the time', async () => {
    const event = new CloudEvent({ ...base, time, data: { a: 1 }, datacontenttype: json });
    const { topic, answer } = await send<Published>(HTTP.binary(event));
    const later = event.cloneWith({ time: '2027-01-02T03:04:05+01:00' });
    const { headers, body } = HTTP.structured(later);
    const again = await fetch(`${url}?topic=${topic}`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: String(body),
    });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await again.json()).toEqual(answer);
    const other = await fetch(`${url}?topic=${topic}`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: String(HTTP.structured(event.cloneWith({ type: 'a b' })).body),
    });
    expect([other.status, await other.json()]).toMatchObject([409, { code: 'EVENT_ID_REUSED' }]);
  });
});
