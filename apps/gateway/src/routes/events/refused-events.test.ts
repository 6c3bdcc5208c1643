import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { type ListAnswer, type Problem, usePublishing } from '../../../test/publishing.js';
import { openTestEvents } from '../../../test/test-events.js';

const cloudEvent = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const cloudEvents = { 'content-type': 'application/cloudevents-batch+json' };

describe.each(['postgres', 'embedded'] as const)('POST /v1/events refuses on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    const { post, newTopic } = usePublishing(engine);

    it.each<[string, unknown, string, string, Record<string, string>?]>([
      ['no topic', { name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['no name', { topic: 't' }, 'REQUEST_INVALID', 'name'],
      ['a name that is none', { topic: 't', name: 'a b' }, 'REQUEST_INVALID', 'name'],
      ['a topic that is none', { topic: 'a/b', name: 'a' }, 'REQUEST_INVALID', 'topic'],
      ['a topic that Kafka refuses', { topic: "o'neill", name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic for dead letters', { topic: 't.dlq', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic for retries', { topic: 't.g.retry.1', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ["the platform's own topic", { topic: 'callbacks', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic of a part to come', { topic: 'messages', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic of the platform', { topic: 'posthaste.x', name: 'a' }, 'EVENT_INVALID', 'topic'],
      [
        'the name of a callback event',
        { topic: 't', name: 'callback.failed' },
        'EVENT_INVALID',
        'name',
      ],
      ['a name beside it', { topic: 't', name: 'endpoint.x.y' }, 'EVENT_INVALID', 'name'],
      [
        'a name of a part to come',
        { topic: 't', name: 'message.received' },
        'EVENT_INVALID',
        'name',
      ],
      ['a name of an alert', { topic: 't', name: 'posthaste.alert' }, 'EVENT_INVALID', 'name'],
      [
        'the type of a callback event',
        { specversion: '1.0', id: '1', source: '/', type: 'callback.failed', topic: 't' },
        'EVENT_INVALID',
        'type',
      ],
      [
        'the type of a callback event in structured mode',
        { specversion: '1.0', id: '1', source: '/', type: 'callback.failed', topic: 't' },
        'EVENT_INVALID',
        'type',
        cloudEvent,
      ],
      [
        'a type whose name is that of a callback event',
        { specversion: '1.0', id: '1', source: '/', type: '/callback.failed', topic: 't' },
        'EVENT_INVALID',
        'type',
        cloudEvent,
      ],
      [
        'a payload that is a list',
        { topic: 't', name: 'a', payload: [] },
        'REQUEST_INVALID',
        'payload',
      ],
      [
        'a version that is text',
        { topic: 't', name: 'a', version: '1' },
        'REQUEST_INVALID',
        'version',
      ],
      ['a fraction', { topic: 't', name: 'a', event_id: 1.5 }, 'REQUEST_INVALID', 'event_id'],
      [
        'over 64 bits',
        '{"topic":"t","name":"a","event_id":92233720368547758080}',
        'REQUEST_INVALID',
        'event_id',
      ],
      [
        'a number that no double holds',
        '{"topic":"t","name":"a","payload":{"x":1e999}}',
        'EVENT_INVALID',
        'payload',
      ],
      [
        'an integer that no double holds',
        `{"topic":"t","name":"a","payload":{"x":[1${'0'.repeat(309)}]}}`,
        'EVENT_INVALID',
        'payload',
      ],
      [
        'a payload that is a number',
        '{"topic":"t","name":"a","payload":1.0}',
        'REQUEST_INVALID',
        'payload',
      ],
      ['a number', '1.0', 'REQUEST_INVALID', 'body'],
      [
        'a time that is none',
        { topic: 't', name: 'a', timestamp: 'now' },
        'REQUEST_INVALID',
        'timestamp',
      ],
      [
        'a time beyond 64 bits',
        { topic: 't', name: 'a', timestamp: '9999-01-01T00:00:00Z' },
        'EVENT_INVALID',
        'timestampUnixNano',
      ],
      [
        'a leap second',
        { topic: 't', name: 'a', timestamp: '2016-12-31T23:59:60Z' },
        'EVENT_INVALID',
        'timestamp',
      ],
      ['an unknown key', { topic: 't', name: 'a', paylod: {} }, 'REQUEST_INVALID', 'paylod'],
      [
        'half a surrogate pair in the id',
        '{"topic":"t","name":"a","id":"\\ud83d"}',
        'EVENT_INVALID',
        'id',
      ],
      [
        'half a surrogate pair in the key',
        '{"topic":"t","name":"a","key":"\\ud83d"}',
        'EVENT_INVALID',
        'key',
      ],
      [
        'an id with a control character',
        { topic: 't', name: 'a', id: 'a\0b' },
        'EVENT_INVALID',
        'id',
      ],
      [
        'a key that is too long',
        { topic: 't', name: 'a', key: 'x'.repeat(4_097) },
        'EVENT_INVALID',
        'key',
      ],
      ['text', '"event"', 'REQUEST_INVALID', 'body'],
      ['null', 'null', 'REQUEST_INVALID', 'body'],
      ['an empty list', [], 'REQUEST_INVALID', 'body'],
      ['too many', Array.from({ length: 1_001 }, () => 1), 'REQUEST_INVALID', 'body'],
      ['one as a batch', { specversion: '1.0' }, 'REQUEST_INVALID', 'body', cloudEvents],
      ['a list as one', [], 'REQUEST_INVALID', 'body', cloudEvent],
      [
        'a CloudEvent of another version',
        { specversion: '0.3', id: '1', source: '/', type: 'a' },
        'EVENT_INVALID',
        'specversion',
      ],
      [
        'an envelope as CloudEvent',
        { topic: 't', name: 'a' },
        'EVENT_INVALID',
        'specversion',
        cloudEvent,
      ],
      [
        'a CloudEvent without source',
        { specversion: '1.0', id: '1', type: 'a' },
        'EVENT_INVALID',
        'source',
      ],
      [
        'a CloudEvent with a control character in its type',
        { specversion: '1.0', id: '1', source: '/', type: 'a\0', topic: 't' },
        'EVENT_INVALID',
        'type',
      ],
      [
        'a CloudEvent whose bytes are no base64',
        { specversion: '1.0', id: '1', source: '/', type: 'a', data_base64: 'A' },
        'EVENT_INVALID',
        'data_base64',
      ],
      [
        'a CloudEvent whose data no double holds',
        '{"specversion":"1.0","id":"1","source":"/","type":"a","topic":"t","data":1e999}',
        'EVENT_INVALID',
        'data',
      ],
      [
        'half a surrogate pair in a payload',
        '{"topic":"t","name":"a","payload":{"a":["\\ud83d"]}}',
        'EVENT_INVALID',
        'payload',
      ],
    ])('refuses %s, and names the field', async (...[, body, code, field, headers]) => {
      const { status, json } = await post(body, headers);
      expect([status, json.code]).toEqual([422, code]);
      expect(json.details?.map((fault) => fault.field)).toContain(field);
    });

    it('reports all faults in the form of an event at once', async () => {
      const { json } = await post({ topic: 1, name: 'a b', version: 'x', more: 1 });
      expect(json.details?.map(({ field }) => field).toSorted()).toEqual([
        'more',
        'name',
        'topic',
        'version',
      ]);
    });

    it.each([
      ['', 'REQUEST_INVALID', 422],
      ['{"topic":', 'REQUEST_INVALID', 422],
      [
        `{"topic":"t","name":"a","payload":{"a":${'['.repeat(2_000)}${']'.repeat(2_000)}}}`,
        'EVENT_INVALID',
        422,
      ],
      [
        `{"topic":"t","name":"a","payload":{"a":"${'x'.repeat(1_048_576)}"}}`,
        'REQUEST_TOO_LARGE',
        413,
      ],
      // Each takes six bytes in the log.
      [`{"topic":"t","name":"a","payload":{"a":"${'<'.repeat(200_000)}"}}`, 'EVENT_TOO_LARGE', 413],
    ])('refuses the body %#', async (body, code, expected) => {
      const { status, json } = await post(body, { 'content-type': 'application/json' });
      expect([status, json.code]).toEqual([expected, code]);
    });

    it('refuses wrong keys, media types and queries', async () => {
      const event = { topic: 't', name: 'a' };
      const wrongKey = await post(event, { 'idempotency-key': 'ü' });
      expect(wrongKey.json).toMatchObject({ details: [{ field: 'header.idempotency-key' }] });
      const xml = await post('<a/>', { 'content-type': 'application/xml' });
      expect(xml.json.code).toBe('MEDIA_TYPE_UNSUPPORTED');
      const nothing = await post(undefined);
      expect(nothing.json).toMatchObject({ code: 'REQUEST_INVALID', detail: 'the body is empty' });
      const wrongQuery = await post(event, {}, '?topic=a/b');
      expect(wrongQuery.json).toMatchObject({ details: [{ field: 'query.topic' }] });
      expect((await post(event, {}, '?tpoic=a')).status).toBe(422);
    });

    it('refuses forged events of lists and batches, and publishes the others', async () => {
      const topic = newTopic();
      const statuses = async (items: unknown[], headers = {}) => {
        const { json } = await post<ListAnswer>(items, headers, `?topic=${topic}`);
        return json.items.map(({ status, problem }) => problem?.code ?? status);
      };
      const list = [{ name: 'callback.failed' }, { name: 'a' }, { name: 'a', topic: 'audit' }];
      expect(await statuses(list)).toEqual(['EVENT_INVALID', 201, 'EVENT_INVALID']);
      const typed = (id: string, type: string) => ({ specversion: '1.0', id, source: '/', type });
      const batch = [typed('1', 'endpoint.disabled'), typed('2', 'a'), typed('3', '.arc.changed')];
      expect(await statuses(batch, cloudEvents)).toEqual(['EVENT_INVALID', 201, 'EVENT_INVALID']);
    });

    it('refuses an event of a list that is too large, and publishes the others', async () => {
      const topic = newTopic();
      const large = { name: 'large', payload: { a: '<'.repeat(200_000) } };
      const { json } = await post<ListAnswer>([large, { name: 'small' }], {}, `?topic=${topic}`);
      expect(json.items.map(({ status }) => status)).toEqual([413, 201]);
    });
  });
});

describeWithPostgres('POST /v1/events at the limit of topics', () => {
  it('refuses only events of new topics, and publishes the others', async () => {
    const gateway = await openTestEvents({ config: { maxTopics: 2 } });
    const post = <T>(body: unknown) => gateway.call<T>('POST', '/v1/events', body);
    const event = (topic: string) => ({ topic, name: 'made' });
    const list = ['a', 'b', 'c', 'b', 'c'].map(event);
    const { json } = await post<ListAnswer>(list);
    expect(json.items.map(({ status, problem }) => problem?.code ?? status)).toEqual([
      201,
      201,
      'TOPIC_LIMIT_REACHED',
      201,
      'TOPIC_LIMIT_REACHED',
    ]);
    expect(json.items.map((item) => item.event?.topic)).toEqual([
      'a',
      'b',
      undefined,
      'b',
      undefined,
    ]);
    const refused = await post<Problem>(event('d'));
    expect([refused.status, refused.json]).toMatchObject([
      409,
      { code: 'TOPIC_LIMIT_REACHED', details: [{ field: 'topic' }] },
    ]);
    expect((await post(event('a'))).status).toBe(201);
    expect(await gateway.log.listTopics('all')).toEqual(['a', 'b']);
    await gateway.close();
  });
});

describeWithPostgres('POST /v1/events without its database', () => {
  it('stores nothing, and answers 503', async () => {
    const gateway = await openTestEvents();
    await gateway.db.close();
    const answer = await gateway.call('POST', '/v1/events', [{ topic: 't', name: 'a' }]);
    expect(answer).toMatchObject({ status: 503, json: { retryable: true } });
    await gateway.close();
  });
});
