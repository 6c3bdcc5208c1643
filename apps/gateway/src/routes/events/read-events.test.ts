import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestEvents, type TestEvents } from '../../../test/test-events.js';

interface Page {
  readonly items: readonly {
    readonly topic: string;
    readonly offset: number;
    readonly key: string | null;
    readonly appendedAt: string;
    readonly event: { readonly name: string } | null;
    readonly value?: object;
  }[];
  readonly next: string;
  readonly isLast: boolean;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(['postgres', 'embedded'] as const)('GET /v1/events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let gateway: TestEvents;
    const publish = (...events: object[]) => gateway.call('POST', '/v1/events', events);
    const get = async (query: string): Promise<Page> => {
      const { status, json } = await gateway.call<Page>('GET', `/v1/events?${query}`);
      expect(status).toBe(200);
      return json;
    };
    const namesOf = async (query: string): Promise<(string | undefined)[]> =>
      (await get(query)).items.map(({ event }) => event?.name);

    beforeAll(async () => {
      gateway = await openTestEvents({ engine });
    });
    afterAll(() => gateway.close());

    it('returns events with their positions, and numbers with all digits', async () => {
      const body =
        '{"topic":"shown","key":"k","name":"made","id":"e1","payload":{"a":1.50,"big":18446744073709551615}}';
      await gateway.call('POST', '/v1/events', body);
      const answer = await gateway.call<Page>('GET', '/v1/events?topic=shown');
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      const payload = '{"a":1.50,"big":18446744073709551615}';
      expect(answer.body).toContain(`"payload":${payload}`);
      const other = await gateway.call<Page>('GET', '/v1/events?topic=shown&format=cloudevents');
      expect(other.body).toContain(`"data":${payload}`);
      expect(answer.json).toEqual({
        items: [
          {
            topic: 'shown',
            partition: expect.any(Number),
            offset: 0,
            key: 'k',
            application: '',
            appendedAt: expect.stringMatching(/^\d{4}-.*Z$/),
            event: expect.objectContaining({ id: 'e1', name: 'made', version: 1 }),
          },
        ],
        next: expect.any(String),
        isLast: true,
      });
    });

    it('filters by the patterns that subscriptions take', async () => {
      const names = ['order.placed', 'order.item.added', 'order', 'orders.placed', 'Order.placed'];
      await publish(...names.map((name) => ({ topic: 'named', key: 'k', name })));
      expect(await namesOf('topic=named&name=order.placed')).toEqual(['order.placed']);
      expect(await namesOf('topic=named&name=order.*')).toEqual(['order.placed']);
      expect(await namesOf('topic=named&name=order.**')).toEqual(names.slice(0, 2));
      expect(await namesOf('topic=named&name=*.placed')).toEqual([names[0], names[3], names[4]]);
      expect(await namesOf('topic=named&name=**')).toEqual(names);
      for (const name of ['or*', '**.placed', 'order.**.*']) {
        const answer = await gateway.call('GET', `/v1/events?topic=named&name=${name}`);
        expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
      }
    });

    it('returns CloudEvents with format=cloudevents', async () => {
      await publish({
        topic: 'clouds',
        name: 'made',
        namespace: 'shop',
        id: 'e1',
        payload: { a: 1 },
      });
      const { items } = await get('topic=clouds&format=cloudevents');
      expect(items[0]?.event).toMatchObject({
        specversion: '1.0',
        id: 'e1',
        type: 'made',
        source: '/namespaces/shop',
        data: { a: 1 },
      });
    });

    it('returns CloudEvents that clients of the log have written in their own form', async () => {
      const cloudEvent = {
        specversion: '1.0',
        id: '2',
        type: '/a b',
        source: '//shop',
        datacontenttype: 'application/json',
        data: [1.5],
      };
      const binary = {
        ce_specversion: '1.0',
        ce_id: '1',
        ce_type: 'placed',
        ce_source: '//shop',
        'content-type': 'text/plain',
      };
      const record = { topic: 'own-form', key: Buffer.from('k') };
      const value = Buffer.from(JSON.stringify(cloudEvent));
      const structured = { 'content-type': 'application/cloudevents+json' };
      await gateway.db.transaction((tx) =>
        gateway.log.append(tx, [
          { ...record, value: Buffer.from('text'), headers: binary },
          { ...record, value, headers: structured },
        ]),
      );
      const { items } = await get('topic=own-form');
      expect(items).toMatchObject([
        { event: { id: '1', name: 'placed', payload: { data: 'text' } } },
        { event: { id: '2', name: 'a-b', payload: { data: [1.5] } } },
      ]);
      const clouds = await get('topic=own-form&format=cloudevents');
      expect(clouds.items.map(({ event }) => event)).toEqual([
        {
          specversion: '1.0',
          id: '1',
          type: 'placed',
          source: '//shop',
          datacontenttype: 'text/plain',
          data: 'text',
        },
        cloudEvent,
      ]);
      expect((await get('topic=own-form&name=placed')).items).toHaveLength(1);
    });

    it('returns page after page, and then what is appended after the last', async () => {
      const events = Array.from({ length: 7 }, (_, i) => ({
        topic: 'pages',
        key: 'k',
        name: `e${i}`,
      }));
      await publish(...events);
      const first = await get('topic=pages&limit=5');
      expect([first.items.length, first.isLast]).toEqual([5, false]);
      const second = await get(`topic=pages&limit=5&cursor=${first.next}`);
      expect(second.items.map(({ event }) => event?.name)).toEqual(['e5', 'e6']);
      expect(second.isLast).toBe(true);
      expect(await namesOf(`topic=pages&cursor=${second.next}`)).toEqual([]);
      await publish({ topic: 'pages', name: 'later' });
      expect(await namesOf(`topic=pages&cursor=${second.next}`)).toEqual(['later']);
      expect(await namesOf('topic=pages&from=end')).toEqual([]);
    });

    it('filters by topic, name, key and time', async () => {
      await publish(
        { topic: 'picked', key: 'a', name: 'made' },
        { topic: 'picked', key: 'b', name: 'made' },
        { topic: 'other', key: 'a', name: 'paid' },
      );
      await pause(5);
      const middle = new Date().toISOString();
      await pause(5);
      await publish({ topic: 'picked', key: 'a', name: 'paid' });
      const topics = 'topic=picked,other';
      expect((await namesOf(topics)).toSorted()).toEqual(['made', 'made', 'paid', 'paid']);
      expect(await namesOf('topic=picked&key=a')).toEqual(['made', 'paid']);
      expect(await namesOf('topic=picked&name=made')).toEqual(['made', 'made']);
      expect(await namesOf(`${topics}&name=paid&key=a`)).toEqual(['paid', 'paid']);
      expect(await namesOf(`topic=picked&since=${middle}`)).toEqual(['paid']);
      expect(await namesOf(`topic=picked&until=${middle}`)).toEqual(['made', 'made']);
    });

    it('returns the content of records that are no events', async () => {
      await gateway.db.transaction((tx) =>
        gateway.log.append(
          tx,
          [Buffer.from('not JSON'), Buffer.from([255, 0]), null].map((value) => {
            return { topic: 'foreign', key: null, value, headers: {} };
          }),
        ),
      );
      const { items } = await get('topic=foreign');
      expect(items.map(({ event, key }) => [event, key])).toEqual([
        [null, null],
        [null, null],
        [null, null],
      ]);
      const values = items.map(({ value }) => value);
      expect(values).toContainEqual({ text: 'not JSON', base64: null });
      expect(values).toContainEqual({ text: null, base64: '/wA=' });
      expect(values).toContainEqual({ text: null, base64: null });
    });

    it('ends a page early when its events are large', async () => {
      const payload = { text: 'x'.repeat(300_000) };
      for (let i = 0; i < 25; i += 1)
        await publish({ topic: 'large', key: 'k', name: `e${i}`, payload });
      const first = await get('topic=large&limit=500');
      expect(first.items.length).toBeLessThan(25);
      expect(first.isLast).toBe(false);
      const seen = first.items.length;
      const rest = await get(`topic=large&limit=500&cursor=${first.next}`);
      expect(rest.items[0]?.offset).toBe(seen);
    });

    it.each([
      ['', 'REQUEST_INVALID', 422],
      ['topic=', 'REQUEST_INVALID', 422],
      ['topic=,', 'REQUEST_INVALID', 422],
      ['topic=%00', 'REQUEST_INVALID', 422],
      ['topic=shown&name=a%00', 'REQUEST_INVALID', 422],
      [`topic=${Array.from({ length: 21 }, (_, i) => `t${i}`).join(',')}`, 'REQUEST_INVALID', 422],
      ['topic=shown&limit=0', 'REQUEST_INVALID', 422],
      ['topic=shown&limit=501', 'REQUEST_INVALID', 422],
      ['topic=shown&since=yesterday', 'REQUEST_INVALID', 422],
      ['topic=shown&from=middle', 'REQUEST_INVALID', 422],
      ['topic=shown&format=xml', 'REQUEST_INVALID', 422],
      ['topic=shown&cursor=nonsense', 'REQUEST_INVALID', 422],
      ['topic=shown&nmae=made', 'REQUEST_INVALID', 422],
      ['topic=unknown', 'TOPIC_NOT_FOUND', 404],
      ['topic=shown,unknown', 'TOPIC_NOT_FOUND', 404],
    ])('refuses ?%s', async (query, code, status) => {
      for (const accept of ['application/json', 'text/event-stream']) {
        const answer = await gateway.call.with({ accept })('GET', `/v1/events?${query}`);
        expect(answer).toMatchObject({ status, json: { code } });
      }
    });
  });
});
