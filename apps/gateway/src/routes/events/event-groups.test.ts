import { offsetBeginning } from '@posthaste/eventstream';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTestEvents, type TestEvents } from '../../../test/test-events.js';

interface GroupPage {
  readonly items: readonly {
    readonly topic: string;
    readonly group: string;
    readonly lag: number;
    readonly partitions: readonly { readonly lag: number }[];
  }[];
  readonly next: string | null;
}

describe.each(['postgres', 'embedded'] as const)('topics and groups on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let gateway: TestEvents;
    const get = async <T = GroupPage>(path: string): Promise<T> => {
      const { status, json } = await gateway.call<T>('GET', `/v1/events/${path}`);
      expect(status).toBe(200);
      return json;
    };
    const groupsOf = async (query: string): Promise<string[]> =>
      (await get(`groups?${query}`)).items.map(({ topic, group }) => `${topic} ${group}`);

    beforeAll(async () => {
      // Maintenance queries the database too, and a test counts queries.
      gateway = await openTestEvents({ engine, config: { pollMs: 3_600_000 } });
      const events = ['a', 'b', 'c', 'd'].flatMap((topic) =>
        [1, 2, 3, 4, 5].map((n) => ({ topic, key: `${n}`, name: 'made' })),
      );
      await gateway.call('POST', '/v1/events', events);
      for (const [topic, groupId] of [
        ['a', 'mail'],
        ['a', 'search'],
        ['c', 'mail'],
      ] as const) {
        await gateway.log.ensureGroup({ topic, groupId }, offsetBeginning);
      }
      const batch = { topics: ['a'], groupId: 'mail', limit: 3, startOffset: offsetBeginning };
      await gateway.db.transaction((tx) => gateway.log.readGroupBatch(tx, batch));
    });
    afterAll(() => gateway.close());

    it('lists topics, page after page', async () => {
      const first = await get<{ items: object[]; next: string }>('topics?limit=3');
      expect(first).toEqual({ items: [{ name: 'a' }, { name: 'b' }, { name: 'c' }], next: 'c' });
      const second = await get('topics?limit=3&cursor=c');
      expect(second).toEqual({ items: [{ name: 'd' }], next: null });
    });

    it('lists groups with their lag', async () => {
      const { items, next } = await get('groups');
      expect(next).toBeNull();
      expect(items.map(({ topic, group, lag }) => [topic, group, lag])).toEqual([
        ['a', 'mail', 2],
        ['a', 'search', 5],
        ['c', 'mail', 5],
      ]);
      expect(items[1]?.partitions).toHaveLength(4);
      expect(items[1]?.partitions[0]).toEqual({
        partition: 0,
        committed: 0,
        end: expect.any(Number),
        lag: expect.any(Number),
      });
    });

    it.each(['topic=%00', 'group=a%00b'])('refuses ?%s', async (query) => {
      const answer = await gateway.call('GET', `/v1/events/groups?${query}`);
      expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });

    it('filters groups by topic and by name, page after page', async () => {
      expect(await groupsOf('topic=a')).toEqual(['a mail', 'a search']);
      expect(await groupsOf('group=mail')).toEqual(['a mail', 'c mail']);
      expect(await groupsOf('topic=a&group=search')).toEqual(['a search']);
      expect(await groupsOf('topic=b')).toEqual([]);
      const first = await get('groups?limit=1');
      expect(first.items).toMatchObject([{ topic: 'a', group: 'mail' }]);
      const second = await get(`groups?limit=1&cursor=${first.next}`);
      expect(second.items).toMatchObject([{ topic: 'a', group: 'search' }]);
      const third = await get(`groups?limit=1&cursor=${second.next}`);
      expect(third).toMatchObject({ items: [{ topic: 'c', group: 'mail' }], next: null });
      const mail = await get('groups?limit=1&group=mail');
      expect(await groupsOf(`group=mail&cursor=${mail.next}`)).toEqual(['c mail']);
    });

    it('refuses a topic that does not exist', async () => {
      const answer = await gateway.call('GET', '/v1/events/groups?topic=unknown');
      expect(answer).toMatchObject({ status: 404, json: { code: 'TOPIC_NOT_FOUND' } });
    });

    it('queries the database once for a page, however many topics there are', async () => {
      const query = vi.spyOn(gateway.db, 'query');
      await get('groups');
      expect(query).toHaveBeenCalledTimes(1);
      query.mockRestore();
    });

    it.each([
      'groups?limit=0',
      'groups?cursor=a',
      'groups?cursor=WyJhIl0',
      'groups?tpoic=a',
      'topics?limit=501',
      'topics?cursor=unknown',
      'topics?name=a',
    ])('refuses %s', async (path) => {
      const answer = await gateway.call('GET', `/v1/events/${path}`);
      expect(answer).toMatchObject({ status: 422, json: { code: 'REQUEST_INVALID' } });
    });
  });
});
