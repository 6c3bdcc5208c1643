import { createClient } from '@posthaste/eventstream';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { putDeadLetters } from '../../../test/dead-letters.js';
import { openTestEvents, type TestEvents } from '../../../test/test-events.js';

interface Letter {
  readonly topic: string;
  readonly event: { readonly name: string };
  readonly failure: Readonly<Record<string, unknown>>;
  readonly replayedAt: string | null;
}

interface LetterPage {
  readonly items: readonly Letter[];
  readonly next: string | null;
  readonly isLast: boolean;
}

interface Replay {
  readonly id: string;
  readonly state: string;
  readonly error: string | null;
  readonly matched: number;
  readonly replayed: number;
  readonly skipped: number;
  readonly readUntil: string | null;
  readonly code?: string;
}

const path = '/v1/events/dead-letters';
const waitOptions = { timeout: 15_000 };

describe.each(['postgres', 'embedded'] as const)('dead letters on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let gateway: TestEvents;
    let topic = '';
    let topics = 0;
    const put = (...letters: Omit<Parameters<typeof putDeadLetters>[1][number], 'topic'>[]) =>
      putDeadLetters(
        gateway,
        letters.map((letter) => ({ ...letter, topic })),
      );
    const list = async (query = ''): Promise<LetterPage> => {
      const answer = await gateway.call<LetterPage>('GET', `${path}?topic=${topic}${query}`);
      expect(answer.status).toBe(200);
      return answer.json;
    };
    const namesOf = async (query: string) =>
      (await list(query)).items.map(({ event }) => event.name);
    const start = (body: object) =>
      gateway.call<Replay>('POST', `${path}/replays`, { topic, ...body });
    const stateOf = async (id: string) =>
      (await gateway.call<Replay>('GET', `${path}/replays/${id}`)).json;
    /** Runs a replay to its end, and returns it. */
    const replay = async (body: object = {}): Promise<Replay> => {
      const { status, json, headers } = await start(body);
      expect(status).toBe(201);
      expect(headers.location).toBe(`${path}/replays/${json.id}`);
      await expect
        .poll(async () => (await stateOf(json.id)).state, waitOptions)
        .not.toBe('running');
      return stateOf(json.id);
    };
    const published = async () =>
      (await gateway.log.listEvents({ within: 'all', topics: [topic] })).records.map(
        ({ value }) => {
          return JSON.parse(String(value)).name as string;
        },
      );

    beforeAll(async () => {
      gateway = await openTestEvents({ engine });
    });
    beforeEach(() => {
      topics += 1;
      topic = `topic-${topics}`;
    });
    afterAll(() => gateway.close());

    it('are listed with their failure', async () => {
      await put({ name: 'made' });
      expect(await list()).toEqual({
        items: [
          expect.objectContaining({
            topic: `${topic}.dlq`,
            key: 'k',
            event: { id: 'made', name: 'made', namespace: '', payload: {} },
            failure: {
              topic,
              partition: 2,
              offset: 0,
              appendedAt: '2026-01-02T03:04:05.678Z',
              group: 'mail',
              error: 'INTERNAL: it broke',
              attempts: 5,
              subscription: '',
            },
            replayedAt: null,
          }),
        ],
        next: expect.any(String),
        isLast: true,
      });
    });

    it('are listed although their headers are missing or invalid', async () => {
      await put({ name: 'bare', headers: {} });
      await put({ name: 'odd', headers: { 'x-attempts': '-1', 'x-original-timestamp': '9e99' } });
      const { items } = await list();
      for (const { failure } of items) {
        expect(new Set(Object.values(failure))).toEqual(new Set([null]));
      }
      expect(items).toHaveLength(2);
    });

    it('are filtered by name, key, group and time, in one topic or in all', async () => {
      await put({ name: 'a', key: '1' }, { name: 'b', key: '2' }, { name: 'a', group: 'search' });
      expect(await namesOf('&name=a')).toEqual(['a', 'a']);
      expect(await namesOf('&key=2')).toEqual(['b']);
      expect(await namesOf('&group=search')).toEqual(['a']);
      expect(await namesOf('&since=2100-01-01T00:00:00Z')).toEqual([]);
      const page = await list('&limit=1');
      expect(page.isLast).toBe(false);
      expect((await list(`&cursor=${page.next}`)).items).toHaveLength(2);
      const all = await gateway.call<LetterPage>('GET', `${path}?limit=500`);
      expect(new Set(all.json.items.map((item) => item.topic)).size).toBe(topics);
      const clouds = await list('&format=cloudevents&name=b');
      expect(clouds.items).toMatchObject([{ event: { specversion: '1.0', type: 'b' } }]);
    });

    it('are an empty list before the first one, and none of a topic that does not exist', async () => {
      const nosuch = await gateway.call('GET', `${path}?topic=${topic}`);
      expect(nosuch).toMatchObject({ status: 404, json: { code: 'TOPIC_NOT_FOUND' } });
      await gateway.call('POST', '/v1/events', { topic, name: 'made' });
      expect(await list()).toEqual({ items: [], next: null, isLast: true });
      expect(await start({})).toMatchObject({ status: 404, json: { code: 'TOPIC_NOT_FOUND' } });
    });

    it('go back to their topic once', async () => {
      const names = Array.from({ length: 120 }, (_, i) => `e${i}`);
      await put(...names.map((name) => ({ name })));
      const done = await replay({ ratePerSecond: 10_000 });
      expect(done).toMatchObject({ state: 'done', matched: 120, replayed: 120, skipped: 0 });
      expect(done.readUntil).toMatch(/^20/);
      expect(await published()).toEqual(names.slice(0, 50));
      const { items } = await list('&limit=1');
      expect(items[0]?.replayedAt).toMatch(/^20/);
      expect(await replay()).toMatchObject({ matched: 120, replayed: 0, skipped: 120 });
      await put({ name: 'later' });
      expect(await replay()).toMatchObject({ matched: 121, replayed: 1, skipped: 120 });
      expect(await replay({ filter: { name: 'e7' }, again: true })).toMatchObject({ replayed: 1 });
      const { records } = await gateway.log.listEvents({
        within: 'all',
        topics: [topic],
        limit: 500,
      });
      expect(records).toHaveLength(122);
      expect(records[0]?.headers).toEqual({ ce_type: 'e0' });
    });

    it('are only counted in a dry run', async () => {
      await put({ name: 'a' }, { name: 'b' }, { name: 'b' });
      await replay({ filter: { name: 'a' } });
      const counted = await replay({ dryRun: true });
      expect(counted).toMatchObject({ state: 'done', matched: 3, replayed: 0, skipped: 1 });
      expect(await replay({ dryRun: true, again: true })).toMatchObject({ matched: 3, skipped: 0 });
      expect(await published()).toEqual(['a']);
    });

    it('are chosen by a filter', async () => {
      await put({ name: 'a', key: '1' }, { name: 'a', group: 'search' }, { name: 'b', key: '1' });
      const filter = { name: 'a', group: 'mail', key: '1', since: '2020-01-01T00:00:00Z' };
      expect(await replay({ filter })).toMatchObject({ matched: 1, replayed: 1 });
      const past = { until: '2020-01-01T00:00:00Z' };
      expect(await replay({ filter: past })).toMatchObject({ matched: 0, readUntil: null });
    });

    it('are skipped when their headers do not name the topic', async () => {
      await put({ name: 'bare', headers: {} });
      await put({ name: 'odd', headers: { 'x-original-topic': 'callbacks' } });
      await put({ name: 'good' });
      expect(await replay()).toMatchObject({ matched: 3, replayed: 1, skipped: 2 });
    });

    it('go back at the requested rate, until the replay is cancelled', async () => {
      await put(...Array.from({ length: 60 }, (_, i) => ({ name: `e${i}` })));
      const startedAt = performance.now();
      const { json } = await start({ ratePerSecond: 20 });
      await expect
        .poll(async () => (await stateOf(json.id)).replayed, { ...waitOptions, interval: 20 })
        .toBeGreaterThanOrEqual(20);
      expect(performance.now() - startedAt).toBeGreaterThan(500);
      const stopped = await gateway.call<Replay>('POST', `${path}/replays/${json.id}/cancel`);
      expect(stopped.json).toMatchObject({ state: 'cancelled' });
      const { replayed } = await stateOf(json.id);
      expect(replayed).toBeLessThan(60);
      const again = await gateway.call<Replay>('POST', `${path}/replays/${json.id}/cancel`);
      expect(again.json).toEqual(stopped.json);
      expect(await replay({ ratePerSecond: 10_000 })).toMatchObject({ replayed: 60 - replayed });
    });

    it('go back to the consumer that failed on them', async () => {
      const seen: string[] = [];
      let broken = true;
      const client = await createClient('', 'postgres', [], { database: gateway.db });
      client.register({
        topic,
        groupId: 'mail',
        offset: -2,
        sendErrorDlq: true,
        retry: { maxAttempts: 1 },
        callback: (_ctx, event) => {
          if (broken) throw new Error('it broke');
          seen.push(event?.name ?? '');
        },
      });
      await gateway.call('POST', '/v1/events', { topic, name: 'order.placed' });
      await expect.poll(async () => (await list()).items.length, waitOptions).toBe(1);
      expect((await list()).items[0]?.failure).toMatchObject({ group: 'mail', error: 'it broke' });
      broken = false;
      await replay();
      await expect.poll(() => seen, waitOptions).toEqual(['order.placed']);
      await client.close();
    });

    it('have replays, which are listed newest first', async () => {
      await put({ name: 'a' });
      const first = await replay();
      const second = await replay();
      const page = await gateway.call<{ items: Replay[]; next: string }>(
        'GET',
        `${path}/replays?limit=1`,
      );
      expect(page.json.items).toEqual([second]);
      const next = await gateway.call<{ items: Replay[] }>(
        'GET',
        `${path}/replays?limit=1&cursor=${page.json.next}`,
      );
      expect(next.json.items).toEqual([first]);
    });

    it.each([
      ['GET', '?limit=0', 'REQUEST_INVALID', 422],
      ['GET', '?topic=a&since=yesterday', 'REQUEST_INVALID', 422],
      ['GET', '?gruop=mail', 'REQUEST_INVALID', 422],
      ['GET', '/replays?cursor=x', 'REQUEST_INVALID', 422],
      ['GET', '/replays/none', 'REPLAY_NOT_FOUND', 404],
      ['POST', '/replays/019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11/cancel', 'REPLAY_NOT_FOUND', 404],
    ] as const)('refuse %s %s', async (...[method, query, ...expected]) => {
      const { status, json } = await gateway.call<{ code: string }>(method, path + query);
      expect([json.code, status]).toEqual(expected);
    });

    it.each([
      [{}, 'topic'],
      [{ topic: 'a/b' }, 'topic'],
      [{ topic: 'a', ratePerSecond: 0 }, 'ratePerSecond'],
      [{ topic: 'a', filter: { nmae: 'a' } }, 'filter.nmae'],
      [{ topic: 'a', filter: { since: '2016-12-31T23:59:60Z' } }, 'since'],
      [{ topic: 'a', dryRun: 'yes' }, 'dryRun'],
    ])('refuse the replay %j', async (body, field) => {
      const answer = await gateway.call('POST', `${path}/replays`, body);
      expect(answer).toMatchObject({
        status: 422,
        json: { code: 'REQUEST_INVALID', details: [{ field }] },
      });
    });
  });
});

describeWithPostgres('dead letters of more than 100 topics', () => {
  it('are not listed together', async () => {
    const gateway = await openTestEvents();
    const topics = Array.from({ length: 101 }, (_, i) => `t${i}`);
    await putDeadLetters(
      gateway,
      topics.map((topic) => ({ name: 'a', topic })),
    );
    const { status, json } = await gateway.call('GET', path);
    expect([status, json]).toMatchObject([422, { details: [{ field: 'query.topic' }] }]);
    expect(await gateway.call('GET', `${path}?topic=t7`)).toMatchObject({ status: 200 });
    await gateway.close();
  });
});
