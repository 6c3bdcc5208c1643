import { toChannelSegment } from '@posthaste/contracts';
import { PostgresLog } from '@posthaste/eventstream';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../../test/test-platform.js';
import { openTestRealtime, type TestRealtime } from '../../../test/test-realtime.js';

const wait = { timeout: 30_000 };

interface Page {
  readonly items: readonly { channel: string; subscribers: number; topic: string | null }[];
  readonly next: string | null;
  readonly code?: string;
}

describeWithPostgres('GET /v1/realtime/channels', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let one: TestRealtime;
  let two: TestRealtime;
  let key: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    one = await openTestRealtime(database, { POSTHASTE_RATE_LIMIT: '0' });
    two = await openTestRealtime(database, { POSTHASTE_RATE_LIMIT: '0' });
    key = await one.createKey();
    const log = new PostgresLog({ db: one.db });
    const toRecord = (topic: string, application: string) => ({
      ...{ topic, key: null, value: Buffer.from('{}'), headers: {}, application },
    });
    await one.db.transaction((tx) =>
      log.append(tx, [
        toRecord('orders.v1', 'shop'),
        toRecord('chat', 'shop'),
        toRecord('hidden.topic', 'pay'),
      ]),
    );
    await log.close();
  });
  afterAll(async () => {
    await Promise.all([one?.close(), two?.close()]);
    await database?.drop();
  });

  async function list(query = '', token = key): Promise<Page> {
    const answer = await fetch(`${one.gateway.url}/v1/realtime/channels?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return (await answer.json()) as Page;
  }
  const counts = async (query = 'prefix=/default/', token = key): Promise<string[]> =>
    (await list(query, token)).items.map(({ channel, subscribers }) => `${channel} ${subscribers}`);

  it('counts the subscribers of all gateways, of one application', async () => {
    const pay = await one.createKey({ applications: ['pay'] });
    const [here, there, foreign] = await Promise.all([
      one.connect(key),
      two.connect(key),
      two.connect(pay),
    ]);
    const subscriptions = [
      here.subscribe('/default/a'),
      there.subscribe('/default/a'),
      there.subscribe('/default/*'),
      there.subscribe('/default/b/c'),
      foreign.subscribe('/default/theirs'),
    ];
    await Promise.all(subscriptions.map(({ ready }) => ready));
    await expect
      .poll(() => counts(), wait)
      .toEqual(['/default/* 1', '/default/a 2', '/default/b/c 1']);
    await expect.poll(() => counts(undefined, pay), wait).toEqual(['/default/theirs 1']);
    expect(await counts('prefix=/default/b')).toEqual(['/default/b/c 1']);
    const found: string[] = [];
    let page = await list('prefix=/default/&limit=1');
    for (; page.next !== null; page = await list(`prefix=/default/&limit=1&cursor=${page.next}`)) {
      found.push(...page.items.map(({ channel }) => channel));
    }
    found.push(...page.items.map(({ channel }) => channel));
    expect(found).toEqual(['/default/*', '/default/a', '/default/b/c']);
    here.close();
    await subscriptions[3]?.unsubscribe();
    await expect.poll(() => counts(), wait).toEqual(['/default/* 1', '/default/a 1']);
    there.close();
    await expect.poll(() => counts(), wait).toEqual([]);
  });

  it('has the channels of the platform, with the names of their topics', async () => {
    const segment = toChannelSegment('orders.v1');
    expect(segment).toMatch(/^x-[0-9a-f]{32}$/);
    const client = await one.connect(key);
    const subscription = client.subscribe(`/posthaste/events/${segment}`);
    await subscription.ready;
    const mirrored = async () => (await list('prefix=/posthaste/')).items;
    await expect.poll(mirrored, wait).toEqual(
      expect.arrayContaining([
        { channel: '/posthaste/callbacks', subscribers: 0, topic: 'callbacks' },
        { channel: '/posthaste/events/chat', subscribers: 0, topic: 'chat' },
        { channel: `/posthaste/events/${segment}`, subscribers: 1, topic: 'orders.v1' },
      ]),
    );
    expect(JSON.stringify(await mirrored())).not.toContain('hidden.topic');
    client.close();
    const left = async () => (await mirrored()).filter(({ subscribers }) => subscribers > 0);
    await expect.poll(left, wait).toEqual([]);
  });

  it('shows a caller only the channels and topics that it may use', async () => {
    const scopes = ['realtime:read'] as const;
    const plain = await one.createKey({ scopes });
    expect((await list('prefix=/posthaste/', plain)).items).toEqual([]);
    const client = await one.connect(key);
    const shown = client.subscribe('/default/shown/1');
    await Promise.all([shown.ready, client.subscribe('/default/other').ready]);
    await expect.poll(() => counts(), wait).toEqual(['/default/other 1', '/default/shown/1 1']);
    const limited = await one.createKey({ scopes, channels: ['/default/shown/*'] });
    expect(await counts('', limited)).toEqual(['/default/shown/1 1']);
    const events = await one.createKey({ scopes: ['realtime:read', 'events:read'] });
    const topics = (await list('prefix=/posthaste/', events)).items.map(({ topic }) => topic);
    expect(topics.toSorted()).toEqual(['chat', 'orders.v1']);
    client.close();
  });

  it('refuses what is no prefix, and asks for one application', async () => {
    expect(await list('prefix=chat')).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await list('cursor=%00')).toMatchObject({ code: 'REQUEST_INVALID' });
    const several = await one.createKey({ applications: ['shop', 'pay'] });
    expect(await list('', several)).toMatchObject({ code: 'APPLICATION_REQUIRED' });
    expect(await list('application=pay')).toMatchObject({ code: 'APPLICATION_FORBIDDEN' });
    const reader = await one.createKey({ scopes: ['realtime:subscribe'] });
    expect(await list('', reader)).toMatchObject({ code: 'SCOPE_MISSING' });
  });
});
