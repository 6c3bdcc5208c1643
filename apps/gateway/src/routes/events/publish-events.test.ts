import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { type ListAnswer, usePublishing } from '../../../test/publishing.js';

const cloudEvent = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const cloudEvents = { 'content-type': 'application/cloudevents-batch+json' };
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const compactUuid = /^[0-9a-f]{32}$/;

describe.each(['postgres', 'embedded'] as const)('POST /v1/events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    const { post, newTopic, recordsOf, eventsOf } = usePublishing(engine);

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

    it('passes on how many deliveries led to an event, beside its envelope', async () => {
      const topic = newTopic();
      const typed = { specversion: '1.0', id: '1', source: '/x', type: 'a', topic };
      await post({ topic, name: 'a', key: 'k' }, { 'posthaste-hops': '2' });
      await post({ ...typed, partitionkey: 'k' }, { ...cloudEvent, 'posthaste-hops': '5' });
      await post({ topic, name: 'a', key: 'k' });
      const records = await recordsOf(topic);
      expect(records.map(({ headers }) => headers['posthaste-hops'])).toEqual([
        '2',
        '5',
        undefined,
      ]);
      expect(records.some(({ value }) => value?.includes('hops'))).toBe(false);
      const refused = await post({ topic, name: 'a' }, { 'posthaste-hops': '6' });
      expect([refused.status, refused.json.code]).toEqual([508, 'LOOP_DETECTED']);
    });

    it('keeps every digit of numbers, and sorts keys', async () => {
      const topic = newTopic();
      const payload =
        '{"z":18446744073709551615,"a":{"d":1.50,"c":[1E5,-0,0.1000000000000000055]}}';
      const sorted = '{"a":{"c":[1E5,-0,0.1000000000000000055],"d":1.50},"z":18446744073709551615}';
      const one = `{"topic":"${topic}","name":"a","version":2.0,"payload":${payload}}`;
      expect((await post(one)).status).toBe(201);
      expect((await post<ListAnswer>(`[${one}]`)).json.items).toMatchObject([{ status: 201 }]);
      const event = `{"specversion":"1.0","id":"1","source":"/x","type":"a","data":${payload}}`;
      expect((await post(event, cloudEvent, `?topic=${topic}`)).status).toBe(201);
      const texts = (await recordsOf(topic)).map(({ value }) => value?.toString());
      expect(texts).toHaveLength(3);
      for (const text of texts) expect(text).toContain(`"payload":${sorted}`);
      expect(texts[0]).toContain('"version":2,');
    });

    it('accepts the whole envelope, and treats null and empty text as not given', async () => {
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

    it('accepts a CloudEvent, of any source, by its media type or its version', async () => {
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

    it('answers each event of a list separately, and keeps the order of a key', async () => {
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

    it('accepts a batch of CloudEvents', async () => {
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

    it('passes the trace of the request on', async () => {
      const topic = newTopic();
      await post({ topic, name: 'made' }, { traceparent });
      const [record] = await recordsOf(topic);
      expect(record?.headers).toMatchObject({ traceparent });
    });

    it('prefers the trace of a CloudEvent to that of the request', async () => {
      const topic = newTopic();
      const own = traceparent.replaceAll('b7', 'c8');
      const event = { specversion: '1.0', id: '1', source: '/x', type: 'made', topic };
      await post({ ...event, traceparent: own }, { traceparent });
      await post({ ...event, traceparent }, { traceparent });
      await post({ ...event, id: '2', traceparent: 'none' }, { traceparent });
      const traces = (await recordsOf(topic)).map(({ headers }) => headers.traceparent);
      expect(traces.toSorted()).toEqual([traceparent, own]);
    });
  });
});
