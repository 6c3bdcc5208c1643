import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import { openTestRealtime, type TestRealtime, takeEvents } from '../../test/test-realtime.js';

const wait = { timeout: 30_000 };

describeWithPostgres('realtime channels of two gateways', () => {
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

  it('bring an event to the subscribers of both, by WebSocket and HTTP', async () => {
    const here = (await one.connect(key)).subscribe('/default/news');
    const there = (await two.connect(key)).subscribe('/default/*');
    await Promise.all([here.ready, there.ready]);
    const publisher = await two.connect(key);
    expect(await publisher.publish('/default/news', ['"a"'])).toMatchObject({
      successIndexes: [0],
    });
    expect(await one.post(key, '/default/news', '"b"')).toBe(200);
    expect(await takeEvents(here, 2)).toEqual(['"a"', '"b"']);
    expect(await takeEvents(there, 2)).toEqual(['"a"', '"b"']);
  });

  it('take the largest publish of the protocol: five events of 240 kB', async () => {
    const subscription = (await two.connect(key)).subscribe('/default/large');
    await subscription.ready;
    const event = JSON.stringify('x'.repeat(245_700));
    const answer = await fetch(`${one.gateway.url}/event`, {
      method: 'POST',
      headers: { 'x-api-key': key },
      body: JSON.stringify({ channel: '/default/large', events: Array(5).fill(event) }),
    });
    expect(await answer.json()).toMatchObject({ failed: [], successful: { length: 5 } });
    expect(await takeEvents(subscription, 5)).toEqual(Array(5).fill(event));
  });

  it('lose nothing that is published after a subscription was acknowledged', async () => {
    const publisher = await two.connect(key, { publishesPerSecond: 10_000 });
    const subscriber = await one.connect(key);
    // A connection has 200 subscriptions at most.
    const races = Array.from({ length: 150 }, async (_, i) => {
      const channel = `/default/race-${i}`;
      const subscription = subscriber.subscribe(channel);
      await subscription.ready;
      await Promise.all([
        two.post(key, channel, `"http"`),
        publisher.publish(channel, [`"socket"`]).catch(() => one.post(key, channel, '"socket"')),
      ]);
      const events = await takeEvents(subscription, 2);
      return events.toSorted();
    });
    const seen = await Promise.all(races);
    expect(new Set(seen.map((events) => events.join()))).toEqual(new Set(['"http","socket"']));
  });

  it('keep applications apart: the same path is two channels', async () => {
    const foreign = await one.createKey({ applications: ['pay'] });
    const ours = (await one.connect(key)).subscribe('/default/same');
    const theirs = (await two.connect(foreign)).subscribe('/default/*');
    await Promise.all([ours.ready, theirs.ready]);
    expect(await one.post(foreign, '/default/same', '"theirs"')).toBe(200);
    expect(await one.post(key, '/default/same', '"ours"')).toBe(200);
    expect(await takeEvents(ours, 1)).toEqual(['"ours"']);
    expect(await takeEvents(theirs, 1)).toEqual(['"theirs"']);
  });

  it('are for credentials that have the scope and the channel', async () => {
    const reader = await one.createKey({
      scopes: ['realtime:subscribe'],
      channels: ['/default/a/*'],
    });
    const client = await one.connect(reader);
    await client.subscribe('/default/a/b').ready;
    await client.subscribe('/default/a/*').ready;
    for (const channel of ['/default/b', '/default/*']) {
      await expect(client.subscribe(channel).ready).rejects.toMatchObject({
        errors: [{ errorType: 'Forbidden' }],
      });
    }
    expect(await one.post(reader, '/default/a/b', '1')).toBe(403);
    expect(await one.post(`${reader}x`, '/default/a/b', '1')).toBe(401);
    expect(await one.post('', '/default/a/b', '1')).toBe(401);
    expect(await one.post(key, '/unknown/a', '1')).toBe(401);
    await expect(one.connect(`${reader}x`)).rejects.toMatchObject({ reason: 'server_error' });
  });

  it('need the name of the application from a key for several', async () => {
    const several = await one.createKey({ applications: ['shop', 'pay'] });
    expect(await one.post(several, '/default/a', '1')).toBe(400);
    const send = (application: string) =>
      fetch(`${one.gateway.url}/event`, {
        method: 'POST',
        headers: { 'x-api-key': several, 'x-posthaste-application': application },
        body: JSON.stringify({ channel: '/default/a', events: ['1'] }),
      }).then(({ status }) => status);
    expect([await send('pay'), await send('other')]).toEqual([200, 403]);
  });

  it('end with a key that is revoked on the other gateway, within a second or so', async () => {
    const { token, key: made } = await one.keys.createKey({
      ...{ name: 'short', scopes: ['admin'], applications: ['shop'] },
    });
    const client = await one.connect(token);
    await client.subscribe('/default/a').ready;
    await two.keys.revokeKey(made.id, 'all');
    await expect.poll(() => client.state, wait).not.toBe('open');
    await expect.poll(() => client.state, wait).toBe('closed');
    expect(client.err).toMatchObject({ reason: 'server_error' });
  });

  it('end, and begin again, when the applications of a key change', async () => {
    const { token, key: made } = await one.keys.createKey({
      ...{ name: 'changed', scopes: ['admin'], applications: ['shop'] },
    });
    const states: string[] = [];
    const client = await one.connect(token, { onState: (state) => states.push(state) });
    await client.subscribe('/default/a').ready;
    await one.db.query(`update gateway.api_key set applications = '{pay}' where id = $1`, [
      made.id,
    ]);
    await expect.poll(() => states, wait).toEqual(['open', 'reconnecting', 'open']);
  });

  it('take five of the largest events at once, and a small one beside them', async () => {
    const subscription = (await two.connect(key)).subscribe('/default/large');
    await subscription.ready;
    const large = JSON.stringify('x'.repeat(245_000));
    const publisher = await one.connect(key);
    const both = await Promise.all([
      publisher.publish('/default/large', [large, large, large, large, large]),
      one.post(key, '/default/large', '"small"'),
    ]);
    expect(both).toMatchObject([{ failed: [] }, 200]);
    const events = await takeEvents(subscription, 6);
    expect(events.filter((event) => event === large)).toHaveLength(5);
  });

  it('leave no upgrade for another path open', async () => {
    const { port } = new URL(one.gateway.url);
    const socket = connectTcp({ host: '127.0.0.1', port: Number(port) });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    const headers = 'Host: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n';
    socket.write(`GET /nothing HTTP/1.1\r\n${headers}\r\n`);
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
  });

  it('are counted', async () => {
    const client = await one.connect(key);
    await client.subscribe('/default/counted').ready;
    const text = await one.registry.metrics();
    expect(text).toMatch(/posthaste_realtime_connections \d+/);
  });

  it('may be used by pages of allowed origins only', async () => {
    const send = (origin: string) =>
      fetch(`${one.gateway.url}/event`, {
        method: 'POST',
        headers: { 'x-api-key': key, origin },
        body: JSON.stringify({ channel: '/default/a', events: ['1'] }),
      }).then(({ status }) => status);
    expect(await send('https://evil.example.com')).toBe(403);
  });
});
