import { decodeEnvelope, type StoredRecord } from '@posthaste/eventstream';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestEvents, type TestEvents } from '../../test/test-events.js';

interface Published {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly details?: readonly { readonly field: string; readonly message: string }[];
}

interface ListAnswer {
  readonly items: readonly {
    readonly status: number;
    readonly event?: Published;
    readonly problem?: Problem;
  }[];
}

const cloudEvent = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const cloudEvents = { 'content-type': 'application/cloudevents-batch+json' };
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const compactUuid = /^[0-9a-f]{32}$/;

describe.each(['postgres', 'embedded'] as const)('POST /v1/events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let gateway: TestEvents;
    let topics = 0;
    /** A topic that no other test uses. */
    const newTopic = (): string => {
      topics += 1;
      return `topic-${topics}`;
    };
    const post = <T = Published & Problem>(
      body: unknown,
      headers?: Record<string, string>,
      query = '',
    ) => gateway.call<T>('POST', `/v1/events${query}`, body, headers);
    const recordsOf = async (topic: string): Promise<readonly StoredRecord[]> =>
      (await gateway.log.listEvents({ topics: [topic] })).records;
    const eventsOf = async (topic: string) =>
      (await recordsOf(topic)).map(({ value }) => decodeEnvelope(value ?? Buffer.alloc(0)));

    beforeAll(async () => {
      gateway = await openTestEvents(engine);
    });
    afterAll(() => gateway.close());

    it('publishes an event as clients of the stream do', async () => {
      const topic = newTopic();
      const payload = { total: 3, cents: 9_007_199_254_740_993n, text: '<ü>' };
      const body = `{"topic":"${topic}","key":"order-7","name":"order.placed","namespace":"shop",
        "payload":{"total":3,"cents":9007199254740993,"text":"<ü>"},"event_id":9007199254740993}`;
      const { status, json } = await post(body);
      expect([status, json]).toEqual([
        201,
        { id: expect.stringMatching(compactUuid), topic, partition: expect.any(Number), offset: 0 },
      ]);
      const [record] = await recordsOf(topic);
      expect(record).toMatchObject({
        partition: json.partition,
        offset: 0n,
        key: Buffer.from('order-7'),
        headers: {
          'content-type': 'application/json',
          ce_specversion: '1.0',
          ce_id: json.id,
          ce_type: 'order.placed',
          ce_source: '/namespaces/shop',
        },
      });
      const [event] = await eventsOf(topic);
      expect(event).toMatchObject({
        id: json.id,
        version: 1,
        event_id: 9_007_199_254_740_993n,
        payload,
      });
      expect(Date.now() - Date.parse(event?.timestamp ?? '')).toBeLessThan(60_000);
      expect(event).not.toHaveProperty('topic');
      expect(record?.value?.toString()).toContain('\\u003cü\\u003e');
    });

    it('takes the whole envelope, and nothing for null and empty text', async () => {
      const topic = newTopic();
      const envelope = {
        id: '0123456789abcdef0123456789abcdef',
        name: 'login',
        namespace: 'game',
        clientId: 'c',
        userId: 'u',
        sessionId: 's',
        traceId: 't',
        spanContext: 'abc:def:0:1',
        timestamp: '2026-01-02T03:04:05Z',
        version: 2,
        event_type: 4,
        service: 'auth',
        client_ids: ['a'],
        privacy: true,
        additional_fields: { shard: 7 },
        payload: { a: 1 },
      };
      const older = { ...envelope, topic: '', target_user_ids: null, target_namespace: '' };
      expect((await post(older, {}, `?topic=${topic}&key=k`)).status).toBe(201);
      expect(await eventsOf(topic)).toEqual([
        { ...envelope, timestampUnixNano: 1_767_323_045_000_000_000n },
      ]);
      expect(await recordsOf(topic)).toMatchObject([
        { key: Buffer.from('k'), headers: { ce_subject: 'u' } },
      ]);
    });

    it('takes a CloudEvent, ours or foreign, by its media type or its version', async () => {
      const topic = newTopic();
      const foreign = {
        specversion: '1.0',
        id: 'x/1',
        source: 'https://shop.example/orders',
        type: 'com.example.order.placed',
        time: '2026-01-02T03:04:05.678Z',
        subject: 'ada',
        partitionkey: 'order-7',
        data: { total: 3 },
      };
      const own = { ...foreign, id: 'x/2', source: '/namespaces/shop', topic };
      expect((await post(foreign, cloudEvent, `?topic=${topic}`)).json).toMatchObject({
        id: 'x/1',
      });
      expect((await post(own)).status).toBe(201);
      expect(await eventsOf(topic)).toMatchObject([
        {
          id: 'x/1',
          name: 'com.example.order.placed',
          namespace: '',
          userId: 'ada',
          timestamp: '2026-01-02T03:04:05Z',
          timestampUnixNano: 1_767_323_045_678_000_000n,
          payload: { total: 3 },
          additional_fields: { source: 'https://shop.example/orders', partitionkey: 'order-7' },
        },
        { id: 'x/2', namespace: 'shop' },
      ]);
      const keys = (await recordsOf(topic)).map(({ key }) => key?.toString());
      expect(keys).toEqual(['order-7', 'order-7']);
    });

    it('answers each event of a list on its own, and keeps the order of a key', async () => {
      const topic = newTopic();
      const { status, json } = await post<ListAnswer>(
        [
          { name: 'first', key: 'k' },
          { name: 'no good name!' },
          'text',
          { name: 'second', key: 'k', paylod: {} },
          { specversion: '1.0', id: '1', source: '/x', type: 'third' },
          { name: 'fourth', key: 'k' },
        ],
        {},
        `?topic=${topic}&key=k`,
      );
      expect(status).toBe(200);
      expect(json.items.map((item) => [item.status, item.problem?.details?.[0]?.field])).toEqual([
        [201, undefined],
        [422, 'name'],
        [422, 'body'],
        [422, 'paylod'],
        [201, undefined],
        [201, undefined],
      ]);
      expect(json.items.flatMap(({ event }) => event?.offset ?? [])).toEqual([0, 1, 2]);
      expect((await eventsOf(topic)).map(({ name }) => name)).toEqual(['first', 'third', 'fourth']);
    });

    it('takes a batch of CloudEvents', async () => {
      const topic = newTopic();
      const event = { specversion: '1.0', source: '/namespaces/shop', type: 'made', topic };
      const body = [
        { ...event, id: '1' },
        { ...event, id: '2' },
        { ...event, id: '' },
      ];
      const { json } = await post<ListAnswer>(body, cloudEvents);
      expect(json.items.map(({ status }) => status)).toEqual([201, 201, 422]);
      expect(json.items[2]?.problem).toMatchObject({
        code: 'EVENT_INVALID',
        details: [{ field: 'id' }],
      });
    });

    it('appends once what comes again under its Idempotency-Key', async () => {
      const topic = newTopic();
      const headers = { 'idempotency-key': 'once' };
      const body = { topic, name: 'made' };
      const answers = await Promise.all([1, 2, 3].map(() => post(body, headers)));
      const [first, ...others] = answers.toSorted(
        (one, other) =>
          Number(one.headers['idempotent-replayed'] === 'true') -
          Number(other.headers['idempotent-replayed'] === 'true'),
      );
      expect(first?.headers).not.toHaveProperty('idempotent-replayed');
      for (const answer of others) {
        expect(answer.headers['idempotent-replayed']).toBe('true');
        expect([answer.status, answer.json]).toEqual([201, first?.json]);
      }
      const reused = await post({ ...body, name: 'other' }, headers);
      expect([reused.status, reused.json.code]).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
      expect((await post({ ...body, topic: newTopic() }, headers)).status).toBe(201);
      expect(await recordsOf(topic)).toHaveLength(1);
    });

    it('appends once what comes again under its id, in its topic and namespace', async () => {
      const topic = newTopic();
      const event = { topic, name: 'made', namespace: 'shop', id: 'e1' };
      const first = await post(event);
      const second = await post({ ...event, timestamp: '2026-01-02T03:04:05Z' }, { traceparent });
      expect([second.status, second.json]).toEqual([201, first.json]);
      expect(second.headers['idempotent-replayed']).toBe('true');
      const withKey = await post(event, { 'idempotency-key': 'k' });
      expect(withKey.json).toEqual(first.json);
      expect((await post(event, { 'idempotency-key': 'k' })).json).toEqual(first.json);
      await post({ ...event, namespace: 'other' });
      await post({ ...event, topic: newTopic() });
      expect(await recordsOf(topic)).toHaveLength(2);
    });

    it('takes the same id with the same content written another way', async () => {
      const event = { topic: newTopic(), id: 'e1', name: 'made' };
      const first = await post({ ...event, payload: { a: 1, b: '<ü>' } });
      const again = await post(
        `{"payload":{"b":"\\u003cü>", "a":1},"topic":"${event.topic}","name":"made","id":"e1","version":1}`,
      );
      expect([again.status, again.json]).toEqual([201, first.json]);
    });

    it.each([
      ['payload', { payload: { total: 4 } }],
      ['name', { name: 'other' }],
      ['key', { key: 'other' }],
      ['field of the envelope', { userId: 'other' }],
    ])('refuses another %s under the same id, and forgets its key', async (_what, other) => {
      const topic = newTopic();
      const event = { topic, name: 'made', id: 'e1', key: 'k', payload: { total: 3 } };
      const headers = { 'idempotency-key': 'once' };
      await post(event);
      const reused = await Promise.all([1, 2].map(() => post({ ...event, ...other }, headers)));
      for (const { status, json } of reused) {
        expect([status, json.code]).toEqual([409, 'EVENT_ID_REUSED']);
      }
      expect((await post({ ...event, ...other, id: 'e2' }, headers)).status).toBe(201);
      expect(await recordsOf(topic)).toHaveLength(2);
    });

    it('knows two requests of one key, beside each other, whose event was there before', async () => {
      const event = { topic: newTopic(), name: 'made', id: 'e1' };
      const first = await post(event);
      const headers = { 'idempotency-key': 'twice' };
      for (const again of await Promise.all([1, 2].map(() => post(event, headers)))) {
        expect([again.status, again.json]).toEqual([201, first.json]);
      }
    });

    it('refuses only those of a list whose id is used', async () => {
      const topic = newTopic();
      const events = [
        { name: 'made', id: 'e1' },
        { name: 'other', id: 'e1' },
        { name: 'made', id: 'e2' },
      ];
      const { json } = await post<ListAnswer>(events, {}, `?topic=${topic}`);
      expect(json.items.map(({ status, problem }) => problem?.code ?? status)).toEqual([
        201,
        'EVENT_ID_REUSED',
        201,
      ]);
    });

    it('remembers each event of a list by itself', async () => {
      const topic = newTopic();
      const headers = { 'idempotency-key': 'list' };
      const body = [
        { name: 'one' },
        { name: '!' },
        { name: 'two', id: 'same' },
        { name: 'two', id: 'same' },
      ];
      const first = await post<ListAnswer>(body, headers, `?topic=${topic}`);
      expect(first.json.items.map(({ status }) => status)).toEqual([201, 422, 201, 201]);
      expect(first.json.items[3]).toEqual(first.json.items[2]);
      expect(first.headers).not.toHaveProperty('idempotent-replayed');
      const again = await post<ListAnswer>(body, headers, `?topic=${topic}`);
      expect(again.json.items.map(({ event }) => event)).toEqual(
        first.json.items.map(({ event }) => event),
      );
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(await recordsOf(topic)).toHaveLength(2);
    });

    it('passes the trace of the request on', async () => {
      const topic = newTopic();
      await post({ topic, name: 'made' }, { traceparent });
      const [record] = await recordsOf(topic);
      expect(record?.headers).toMatchObject({ traceparent });
    });

    it('knows the trace that a CloudEvent itself belongs to', async () => {
      const topic = newTopic();
      const own = traceparent.replaceAll('b7', 'c8');
      const event = { specversion: '1.0', id: '1', source: '/x', type: 'made', topic };
      await post({ ...event, traceparent: own }, { traceparent });
      await post({ ...event, traceparent }, { traceparent });
      await post({ ...event, id: '2', traceparent: 'none' }, { traceparent });
      const traces = (await recordsOf(topic)).map(({ headers }) => headers.traceparent);
      expect(traces.toSorted()).toEqual([traceparent, own]);
    });

    it.each<[string, unknown, string, string, Record<string, string>?]>([
      ['no topic', { name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['no name', { topic: 't' }, 'REQUEST_INVALID', 'name'],
      ['a name that is none', { topic: 't', name: 'a b' }, 'REQUEST_INVALID', 'name'],
      ['a topic that is none', { topic: 'a/b', name: 'a' }, 'REQUEST_INVALID', 'topic'],
      ['a topic that Kafka refuses', { topic: "o'neill", name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic for dead letters', { topic: 't.dlq', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ['a topic for retries', { topic: 't.g.retry.1', name: 'a' }, 'EVENT_INVALID', 'topic'],
      ["the platform's own topic", { topic: 'callbacks', name: 'a' }, 'EVENT_INVALID', 'topic'],
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
        'a CloudEvent with a type that is no name',
        { specversion: '1.0', id: '1', source: '/', type: 'a:b', topic: 't' },
        'EVENT_INVALID',
        'type',
      ],
      [
        'a CloudEvent with bytes',
        { specversion: '1.0', id: '1', source: '/', type: 'a', data_base64: 'AA==' },
        'EVENT_INVALID',
        'data_base64',
      ],
      [
        'a CloudEvent whose data is text',
        { specversion: '1.0', id: '1', source: '/', type: 'a', data: 'x' },
        'EVENT_INVALID',
        'payload',
      ],
    ])('refuses %s, and names the field', async (_what, body, code, field, headers) => {
      const { status, json } = await post(body, headers);
      expect([status, json.code]).toEqual([422, code]);
      expect(json.details?.map((fault) => fault.field)).toContain(field);
    });

    it('tells all that is wrong with the form of an event at once', async () => {
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
      const wrongQuery = await post(event, {}, '?topic=a/b');
      expect(wrongQuery.json).toMatchObject({ details: [{ field: 'query.topic' }] });
      expect((await post(event, {}, '?tpoic=a')).status).toBe(422);
    });

    it('one too large event of a list fails alone', async () => {
      const topic = newTopic();
      const large = { name: 'large', payload: { a: '<'.repeat(200_000) } };
      const { json } = await post<ListAnswer>([large, { name: 'small' }], {}, `?topic=${topic}`);
      expect(json.items.map(({ status }) => status)).toEqual([413, 201]);
    });
  });
});

describeWithPostgres('POST /v1/events with as many topics as there may be', () => {
  it('refuses events of new topics only, alone', async () => {
    const gateway = await openTestEvents('postgres', {}, {}, { maxTopics: 2 });
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
    expect(await gateway.log.listTopics()).toEqual(['a', 'b']);
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
