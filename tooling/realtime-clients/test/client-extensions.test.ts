import type { SubscriptionMessage, WebSocketClient } from '@posthaste/appsync-client';
import { describe, expect, it } from 'vitest';
import { open, take } from './open-client.js';
import { type PlainServer, startPlainServer } from './plain-server.js';

/** Client that stays away until it is let in again. */
interface Absentee {
  readonly client: WebSocketClient;
  /** Cuts its connection. Resolves when it has noticed. */
  leave(): Promise<void>;
  comeBack(): void;
}

/** Connects a client whose waits between reconnects a test ends. */
async function openAbsentee(server: PlainServer): Promise<Absentee> {
  let comeBack: () => void = () => undefined;
  const client = await open(server, {
    extensions: ['resume', 'channel'],
    reconnect: { initialMs: 60_000, maxMs: 60_000 },
    random: () => 0.999,
    clock: {
      now: () => performance.now(),
      setTimeout: (work, ms) => {
        // The wait for the next attempt to connect.
        if (ms > 50_000 && ms < 60_000) comeBack = work;
        return setTimeout(work, ms);
      },
      clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    },
  });
  return {
    client,
    async leave() {
      server.cut();
      await expect.poll(() => client.state).toBe('reconnecting');
    },
    comeBack: () => comeBack(),
  };
}

const texts = (items: readonly SubscriptionMessage[]) =>
  items.map(({ type, event }) => (type === 'data' ? event : type));

describe('our client resumes at our server', () => {
  it('what was published while it was cut off, before any event', async () => {
    const server = await startPlainServer();
    const { client, leave, comeBack } = await openAbsentee(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    await leave();
    const publisher = await open(server);
    for (const event of ['1', '2', '3']) await publisher.publish('/default/a', [event]);
    comeBack();
    expect(texts(await take(subscription, 3))).toEqual(['1', '2', '3']);
  });

  it('in order and without a gap, over many cuts', async () => {
    const server = await startPlainServer();
    const client = await open(server, { extensions: ['resume'] });
    const publisher = await open(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    const events = Array.from({ length: 60 }, (_, i) => `${i}`);
    const reading = take(subscription, events.length);
    for (const [index, event] of events.entries()) {
      await publisher.publish('/default/a', [event], { over: 'http' });
      if (index % 10 === 5) server.cut();
    }
    expect(texts(await reading)).toEqual(events);
    expect(server.upgrades()).toBeGreaterThan(5);
  });

  it('and is told of the gap if it has missed more than the history', async () => {
    const server = await startPlainServer({ namespaces: [{ name: 'default', history: 5 }] });
    const { client, leave, comeBack } = await openAbsentee(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    await leave();
    const publisher = await open(server);
    for (let i = 1; i <= 7; i += 1) await publisher.publish('/default/a', [`${i}`]);
    comeBack();
    await expect.poll(() => server.realtime.counts().subscriptions).toBe(1);
    await publisher.publish('/default/a', ['8']);
    expect(texts(await take(subscription, 2))).toEqual(['gap', '8']);
  });

  it('and is told of the gap by a server that began anew', async () => {
    const server = await startPlainServer();
    const { client, comeBack } = await openAbsentee(server);
    const subscription = client.subscribe('/default/a');
    await subscription.ready;
    await server.close();
    await expect.poll(() => client.state).toBe('reconnecting');
    const next = await startPlainServer({ port: server.port });
    comeBack();
    await expect.poll(() => next.realtime.counts().subscriptions).toBe(1);
    await client.publish('/default/a', ['1']);
    expect(texts(await take(subscription, 2))).toEqual(['gap', '1']);
  });

  it('all channels of a wildcard, each event with its channel', async () => {
    const server = await startPlainServer();
    const { client, leave, comeBack } = await openAbsentee(server);
    const subscription = client.subscribe('/default/*');
    await subscription.ready;
    await leave();
    const publisher = await open(server);
    await publisher.publish('/default/a', ['1']);
    await publisher.publish('/default/b/c', ['2']);
    comeBack();
    await expect.poll(() => client.state).toBe('open');
    await publisher.publish('/default/a', ['3']);
    expect(await take(subscription, 3)).toEqual([
      { type: 'data', event: '1', channel: '/default/a' },
      { type: 'data', event: '2', channel: '/default/b/c' },
      { type: 'data', event: '3', channel: '/default/a' },
    ]);
  });
});

/** Watches a channel. Returns the changes that it has seen so far: `join ann`, `members bob,cy`. */
async function watch(server: PlainServer, presence: { member?: string; data?: unknown } = {}) {
  const client = await open(server, { extensions: ['presence'] });
  const changes: string[] = [];
  const subscription = client.subscribe('/default/a', {
    presence,
    onMessage: ({ presence: change }) => {
      const names = change?.members.map(({ member }) => member).sort();
      if (change) changes.push(`${change.change} ${names}`.trim());
    },
  });
  await subscription.ready;
  return { client, changes, subscription };
}

describe('our client sees who is on a channel of our server', () => {
  it('those who are there, those who come, and those who leave', async () => {
    const server = await startPlainServer({ presenceGraceMs: 50 });
    const watcher = await watch(server);
    await expect.poll(() => watcher.changes).toEqual(['members']);
    const ann = await watch(server, { member: 'ann', data: { mood: 'fine' } });
    await expect.poll(() => watcher.changes).toEqual(['members', 'join ann']);
    const bob = await watch(server, { member: 'bob' });
    await expect.poll(() => bob.changes).toEqual(['members ann,bob']);
    await expect.poll(() => ann.changes).toEqual(['members ann', 'join bob']);
    await ann.subscription.unsubscribe();
    await expect.poll(() => bob.changes).toEqual(['members ann,bob', 'leave ann']);
    bob.client.close();
    await expect
      .poll(() => watcher.changes)
      .toEqual(['members', 'join ann', 'join bob', 'leave ann', 'leave bob']);
  });

  it('a member in two tabs once, and until the last one is closed', async () => {
    const server = await startPlainServer({ presenceGraceMs: 50 });
    const watcher = await watch(server);
    await expect.poll(() => watcher.changes).toEqual(['members']);
    const tabs = [await watch(server, { member: 'ann' }), await watch(server, { member: 'ann' })];
    await expect.poll(() => watcher.changes).toEqual(['members', 'join ann']);
    tabs[0]?.client.close();
    // Somebody else comes and goes meanwhile, longer than a leave is delayed.
    const bob = await watch(server, { member: 'bob' });
    bob.client.close();
    await expect.poll(() => watcher.changes.slice(2)).toEqual(['join bob', 'leave bob']);
    tabs[1]?.client.close();
    await expect.poll(() => watcher.changes.slice(4)).toEqual(['leave ann']);
  });

  it('a member that is cut off for a moment neither leave nor join', async () => {
    const server = await startPlainServer({ presenceGraceMs: 5_000 });
    const ann = await watch(server, { member: 'ann' });
    await expect.poll(() => ann.changes).toEqual(['members ann']);
    server.cut();
    await expect.poll(() => ann.changes).toEqual(['members ann', 'members ann']);
    const bob = await watch(server, { member: 'bob' });
    await expect.poll(() => bob.changes).toEqual(['members ann,bob']);
    expect(ann.changes).not.toContain('leave ann');
    expect(ann.changes.filter((change) => change === 'join ann')).toEqual([]);
  });
});
