import type { Subscription, SubscriptionMessage, WebSocketClient } from '@posthaste/appsync-client';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import { openTestRealtime, type TestRealtime } from '../../test/test-realtime.js';

const wait = { timeout: 30_000 };
const extensions = ['presence', 'resume'] as const;

/** Subscriber with what it was told: `members ann,bob`, `join cat`, `leave ann`. */
interface Guest {
  readonly client: WebSocketClient;
  readonly subscription: Subscription;
  readonly story: string[];
}

describeWithPostgres('presence on two gateways', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let one: TestRealtime;
  let two: TestRealtime;
  let key: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    one = await openTestRealtime(database);
    two = await openTestRealtime(database);
    key = await one.createKey();
  });
  afterAll(async () => {
    await Promise.all([one?.close(), two?.close()]);
    await database?.drop();
  });

  async function visit(
    gateway: TestRealtime,
    channel: string,
    presence: { member?: string; data?: unknown },
  ): Promise<Guest> {
    const client = await gateway.connect(key, { extensions });
    const story: string[] = [];
    const onMessage = ({ presence: change }: SubscriptionMessage): void => {
      const names = change?.members.map(({ member }) => member).toSorted();
      if (change) story.push(`${change.change} ${names?.join()}`);
    };
    const subscription = client.subscribe(channel, { presence, onMessage });
    await subscription.ready;
    await expect.poll(() => story.length, wait).toBeGreaterThan(0);
    return { client, subscription, story };
  }

  it('shows the members of both, their joins and leaves', async () => {
    const room = '/default/one';
    const watcher = await visit(one, room, {});
    expect(watcher.story).toEqual(['members ']);
    const ann = await visit(two, room, { member: 'ann', data: 1 });
    expect(ann.story).toEqual(['members ann']);
    await expect.poll(() => watcher.story, wait).toEqual(['members ', 'join ann']);
    await visit(one, room, { member: 'bob' });
    await expect.poll(() => ann.story, wait).toEqual(['members ann', 'join bob']);
    await ann.subscription.unsubscribe();
    await expect.poll(() => watcher.story.at(-1), wait).toBe('leave ann');
    expect(watcher.story).toEqual(['members ', 'join ann', 'join bob', 'leave ann']);
  });

  it('tells nobody of a member that goes from one gateway to the other', async () => {
    const room = '/default/two';
    const watcher = await visit(one, room, {});
    let ann = await visit(one, room, { member: 'ann' });
    for (const gateway of [two, one, two]) {
      const next = await visit(gateway, room, { member: 'ann' });
      ann.client.close();
      ann = next;
    }
    ann.client.close();
    await expect.poll(() => watcher.story.at(-1), wait).toBe('leave ann');
    expect(watcher.story).toEqual(['members ', 'join ann', 'leave ann']);
  });

  it('keeps applications apart', async () => {
    const room = '/default/three';
    const ann = await visit(one, room, { member: 'ann' });
    const foreign = await one.createKey({ applications: ['pay'] });
    const client = await two.connect(foreign, { extensions });
    const items = client.subscribe(room, { presence: { member: 'eve' } });
    for await (const { presence } of items) {
      expect(presence?.members).toEqual([{ member: 'eve' }]);
      break;
    }
    expect(ann.story).toEqual(['members ann']);
  });

  it('lets the members of a gateway that stops come back to the other', async () => {
    const room = '/default/four';
    const three = await openTestRealtime(database);
    const watcher = await visit(one, room, {});
    await visit(three, room, { member: 'ann' });
    await visit(three, room, { member: 'bob' });
    await expect.poll(() => watcher.story.length, wait).toBe(3);
    const back = await visit(two, room, { member: 'ann' });
    await three.close();
    await expect.poll(() => watcher.story.at(-1), wait).toBe('leave bob');
    expect(watcher.story.toSorted()).toEqual(['join ann', 'join bob', 'leave bob', 'members ']);
    expect(back.story).toEqual(['members ann,bob', 'leave bob']);
  });
});
