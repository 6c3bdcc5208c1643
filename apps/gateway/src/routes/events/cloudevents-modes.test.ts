import { describe, expect, it } from 'vitest';
import { type ListAnswer, type Problem, usePublishing } from '../../../test/publishing.js';

const attributes = {
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-source': '/namespaces/shop',
  'ce-type': 'order.placed',
};
const json = { 'content-type': 'application/json' };
const batch = { 'content-type': 'application/cloudevents-batch+json' };
const structured = { 'content-type': 'application/cloudevents+json' };
const event = { specversion: '1.0', id: '1', source: '/namespaces/shop', type: 'made' };
const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;

describe('CloudEvents', () => {
  const { post, newTopic, recordsOf, eventsOf } = usePublishing('embedded');

  it('in binary mode are not mistaken for an envelope in their body', async () => {
    const topic = newTopic();
    const body = { name: 'alice', topic: 'other', payload: { a: 1 } };
    const { status } = await post(
      body,
      { ...attributes, 'ce-time': '2026-01-02T03:04:05+01:00' },
      `?topic=${topic}`,
    );
    expect(status).toBe(201);
    expect(await eventsOf(topic)).toEqual([
      {
        id: '1',
        name: 'order.placed',
        namespace: 'shop',
        timestamp: '2026-01-02T02:04:05Z',
        timestampUnixNano: 1_767_319_445_000_000_000n,
        version: 1,
        additional_fields: { cloudevent: { time: '2026-01-02T03:04:05+01:00' } },
        payload: body,
      },
    ]);
  });

  it('in binary mode may have no body and no content type', async () => {
    const topic = newTopic();
    const { status } = await post(undefined, attributes, `?topic=${topic}`);
    expect(status).toBe(201);
    expect(
      await post(
        '',
        { ...attributes, 'content-type': 'text/plain', 'ce-id': '2' },
        `?topic=${topic}`,
      ),
    ).toMatchObject({ status: 201 });
    const [first, second] = await eventsOf(topic);
    expect(first).not.toHaveProperty('payload');
    expect(second).not.toHaveProperty('payload');
  });

  it('have the topic, key and trace of their attributes', async () => {
    const topic = newTopic();
    const traceparent = `00-${'0af7651916cd43dd'.repeat(2)}-b7ad6b7169203331-01`;
    const headers = { ...attributes, 'ce-topic': topic, 'ce-partitionkey': 'ü', traceparent };
    expect((await post({ a: 1 }, headers)).status).toBe(201);
    const [record] = await recordsOf(topic);
    expect(record?.key?.toString()).toBe('ü');
    expect(record?.headers).toMatchObject({ traceparent });
    const [stored] = await eventsOf(topic);
    expect(stored).toMatchObject({ topic, additional_fields: { partitionkey: 'ü' } });
    expect(stored).not.toHaveProperty('spanContext');
  });

  it('are published once under an Idempotency-Key, attributes included', async () => {
    const query = `?topic=${newTopic()}`;
    const headers = { ...attributes, ...json, 'idempotency-key': 'k' };
    const first = await post('{}', headers, query);
    const again = await post('{}', headers, query);
    expect([again.json, again.headers['idempotent-replayed']]).toEqual([first.json, 'true']);
    const other = await post('{}', { ...headers, 'ce-type': 'other' }, query);
    expect(other.json.code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it.each<[string, unknown, Record<string, string>, string, string]>([
    [
      'no id',
      '{}',
      { ...json, 'ce-specversion': '1.0', 'ce-type': 'a' },
      'EVENT_INVALID',
      'header.ce-id',
    ],
    ['no type', '{}', { ...json, ...attributes, 'ce-type': '' }, 'EVENT_INVALID', 'header.ce-type'],
    [
      'only an id',
      '{"name":"a"}',
      { ...json, 'ce-id': '1' },
      'EVENT_INVALID',
      'header.ce-specversion',
    ],
    [
      'another version',
      '{}',
      { ...attributes, 'ce-specversion': '0.3' },
      'EVENT_INVALID',
      'header.ce-specversion',
    ],
    [
      'a name that is not allowed',
      '{}',
      { ...attributes, 'ce-Foo_bar': 'a' },
      'EVENT_INVALID',
      'header.ce-foo_bar',
    ],
    [
      'an attribute without a name',
      '{}',
      { ...attributes, 'ce-': 'a' },
      'EVENT_INVALID',
      'header.ce-',
    ],
    [
      'a control character',
      '{}',
      { ...attributes, 'ce-subject': 'a%00' },
      'EVENT_INVALID',
      'header.ce-subject',
    ],
    [
      'bytes that are not UTF-8',
      '{}',
      { ...attributes, 'ce-subject': '%ED%A0%80' },
      'EVENT_INVALID',
      'header.ce-subject',
    ],
    [
      'a time that is none',
      '{}',
      { ...attributes, 'ce-time': 'now' },
      'EVENT_INVALID',
      'header.ce-time',
    ],
    [
      'a time beyond 64 bits',
      '{}',
      { ...attributes, 'ce-time': '9999-01-01T00:00:00Z' },
      'EVENT_INVALID',
      'header.ce-time',
    ],
    ['data as a header', '{}', { ...attributes, 'ce-data': '1' }, 'EVENT_INVALID', 'body'],
    [
      'two content types',
      '{}',
      { ...json, ...attributes, 'ce-datacontenttype': 'a/b' },
      'EVENT_INVALID',
      'header.content-type',
    ],
    [
      'an id over the limit',
      '{}',
      { ...attributes, 'ce-id': 'x'.repeat(257) },
      'EVENT_INVALID',
      'header.ce-id',
    ],
    [
      'a key over the limit',
      '{}',
      { ...attributes, 'ce-partitionkey': 'x'.repeat(4_097) },
      'EVENT_INVALID',
      'header.ce-partitionkey',
    ],
    ['a topic that is none', '{}', { ...attributes, 'ce-topic': 'a/b' }, 'EVENT_INVALID', 'topic'],
    [
      "the platform's own topic",
      '{}',
      { ...attributes, 'ce-topic': 'callbacks' },
      'EVENT_INVALID',
      'topic',
    ],
    [
      'the type of a platform event',
      '{}',
      { ...attributes, 'ce-type': 'endpoint.disabled' },
      'EVENT_INVALID',
      'header.ce-type',
    ],
    ['JSON that is not valid', '{', { ...json, ...attributes }, 'EVENT_INVALID', 'body'],
    ['a number that no double holds', '1e999', { ...json, ...attributes }, 'EVENT_INVALID', 'body'],
    ['half a surrogate pair', '["\\ud83d"]', { ...json, ...attributes }, 'EVENT_INVALID', 'body'],
    ['data that is deep', deep, { ...json, ...attributes }, 'EVENT_INVALID', 'body'],
    [
      'deep data with digits',
      deep.replace('[]', '[1.0]'),
      { ...json, ...attributes },
      'EVENT_INVALID',
      'body',
    ],
    [
      'structured deep data',
      `{"specversion":"1.0","id":"1","source":"/","type":"a","data":${deep}}`,
      structured,
      'EVENT_INVALID',
      'data',
    ],
    [
      'structured half a pair',
      `{"specversion":"1.0","id":"1","source":"/","type":"a","data":"\\ud800"}`,
      structured,
      'EVENT_INVALID',
      'data',
    ],
    ['a structured list', [event], structured, 'REQUEST_INVALID', 'body'],
    ['a batch that is an object', event, batch, 'REQUEST_INVALID', 'body'],
    ['a batch that is too long', Array(1_001).fill(event), batch, 'REQUEST_INVALID', 'body'],
  ])('are refused with %s, and nothing is stored', async (...[, body, headers, code, field]) => {
    const topic = newTopic();
    const { status, json: problem } = await post<Problem>(body, headers, `?topic=${topic}`);
    expect([status, problem.code]).toEqual([422, code]);
    expect(problem.details?.map((fault) => fault.field)).toContain(field);
    await expect(recordsOf(topic)).rejects.toThrow(topic);
  });

  it.each<[string, unknown, Record<string, string>]>([
    ['another format', '<a/>', { 'content-type': 'application/cloudevents+xml' }],
    [
      'another format of a batch',
      'x',
      { ...attributes, 'content-type': 'application/cloudevents-batch+avro' },
    ],
    ['no format', '{}', { 'content-type': 'application/cloudevents' }],
    ['a content encoding', 'x', { ...attributes, 'content-encoding': 'gzip' }],
    ['a mark before JSON', '\ufeff{}', { ...attributes, ...json }],
    ['no attribute and no JSON', 'x', { 'content-type': 'text/plain' }],
    [
      'an attribute that is none of CloudEvents',
      'x',
      { 'content-type': 'text/plain', 'ce-other': '1' },
    ],
    ['a content type that is none', 'x', { ...attributes, 'content-type': 'x' }],
  ])('are answered with 415 with %s', async (_fault, body, headers) => {
    const { status, json: problem } = await post<Problem>(body, headers, '?topic=t');
    expect([status, problem.code]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
  });

  it('that are too large are answered with 413', async () => {
    const large = await post<Problem>(
      Buffer.alloc(1_048_577),
      { ...attributes, 'content-type': 'a/b' },
      '?topic=t',
    );
    expect([large.status, large.json.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
    // Base64 takes a third more than the bytes.
    const bytes = await post<Problem>(
      Buffer.alloc(1_000_000),
      { ...attributes, 'content-type': 'a/b' },
      '?topic=t',
    );
    expect([bytes.status, bytes.json.code]).toEqual([413, 'EVENT_TOO_LARGE']);
  });

  it('of a batch have an answer each', async () => {
    const topic = newTopic();
    const body = [
      event,
      { ...event, id: '2', shardId: 'a' },
      { name: 'a' },
      { ...event, id: '3', data: 'x' },
    ];
    const { status, json: answer } = await post<ListAnswer>(body, batch, `?topic=${topic}&key=k`);
    expect(status).toBe(200);
    expect(answer.items.map((item) => item.problem?.details?.[0]?.field ?? item.status)).toEqual([
      201,
      'shardId',
      'specversion',
      201,
    ]);
    expect((await eventsOf(topic)).map(({ id }) => id)).toEqual(['1', '3']);
  });

  it('of an empty batch have no answers', async () => {
    const { status, json: answer } = await post<ListAnswer>([], batch, '?topic=t');
    expect([status, answer]).toEqual([200, { items: [] }]);
  });
});
