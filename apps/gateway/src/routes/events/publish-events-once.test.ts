import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { describe, expect, it } from 'vitest';
import { type ListAnswer, usePublishing } from '../../../test/publishing.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe.each(['postgres', 'embedded'] as const)('POST /v1/events, again, on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    const { post, newTopic, recordsOf } = usePublishing(engine);

    it('appends an event once that is published again under its Idempotency-Key', async () => {
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

    it('appends an event once that is published again under its id, in its topic and namespace', async () => {
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

    it('treats the same id from another source as another event', async () => {
      const topic = newTopic();
      const event = { specversion: '1.0', id: 'e1', type: 'made', source: '/shops/1', data: {} };
      const [first, again, other] = [event, event, { ...event, source: '/shops/2' }];
      const answers = [];
      for (const each of [first, again, other])
        answers.push(await post(each, {}, `?topic=${topic}`));
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
      expect(answers[1]?.headers['idempotent-replayed']).toBe('true');
      expect(await recordsOf(topic)).toHaveLength(2);
      const ours = await post({ ...event, source: '/namespaces/shop' }, {}, `?topic=${topic}`);
      const envelope = { topic, id: 'e1', name: 'made', namespace: 'shop', payload: {} };
      expect((await post(envelope)).json).toEqual(ours.json);
    });

    it('recognizes the same content under the same id in another spelling', async () => {
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

    it('repeats the answer to two simultaneous requests of one key whose event was published before', async () => {
      const event = { topic: newTopic(), name: 'made', id: 'e1' };
      const first = await post(event);
      const headers = { 'idempotency-key': 'twice' };
      for (const again of await Promise.all([1, 2].map(() => post(event, headers)))) {
        expect([again.status, again.json]).toEqual([201, first.json]);
      }
    });

    it('refuses only the events of a list whose id is used', async () => {
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

    it('remembers each event of a list separately', async () => {
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
  });
});
