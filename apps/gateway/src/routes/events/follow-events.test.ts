import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PlatformError } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Follower, follow as followUrl } from '../../../test/follower.js';
import { rawConnection } from '../../../test/raw-connection.js';
import {
  openTestEvents,
  type TestEvents,
  type TestEventsOptions,
} from '../../../test/test-events.js';
import { type TestKey, testKeys } from '../../../test/test-server.js';

const waitOptions = { timeout: 30_000 };
/** For checks that read megabytes, and so take time from what they wait for. */
const rarely = { ...waitOptions, interval: 250 };
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the bytes of buffers that are still referenced: collects the others first. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface ListeningEvents extends TestEvents {
  readonly url: string;
}

async function listen(options: TestEventsOptions = {}): Promise<ListeningEvents> {
  const gateway = await openTestEvents(options);
  await gateway.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = gateway.app.server.address() as AddressInfo;
  return { ...gateway, url: `http://127.0.0.1:${port}` };
}

async function follow(
  gateway: ListeningEvents,
  query: string,
  headers?: Record<string, string>,
): Promise<Follower> {
  const follower = await followUrl(`${gateway.url}/v1/events?${query}`, headers);
  onTestFinished(() => follower.leave());
  return follower;
}

const publish = (gateway: TestEvents, ...events: object[]) =>
  gateway.call('POST', '/v1/events', events);

describe.each(['postgres', 'embedded'] as const)('following events on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let gateway: ListeningEvents;
    const noneLeft = () => expect.poll(() => gateway.events.followers, waitOptions).toBe(0);

    beforeAll(async () => {
      gateway = await listen({ engine });
    });
    afterAll(() => gateway.close());

    it('sends events published after its start, as server-sent events', async () => {
      await publish(gateway, { topic: 'new', name: 'before' });
      const follower = await follow(gateway, 'topic=new');
      expect(follower.response.status).toBe(200);
      expect(Object.fromEntries(follower.response.headers)).toMatchObject({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      await publish(gateway, { topic: 'new', name: 'first', payload: { text: 'a\nb' } });
      await expect.poll(() => follower.names(), waitOptions).toEqual(['first']);
      await publish(gateway, { topic: 'new', name: 'second' });
      await expect.poll(() => follower.names(), waitOptions).toEqual(['first', 'second']);
      expect(follower.events()[0]?.data).toMatchObject({
        topic: 'new',
        event: { payload: { text: 'a\nb' } },
      });
      follower.leave();
      await noneLeft();
    });

    it('continues after the last event received, starts at the beginning or at a time', async () => {
      const events = Array.from({ length: 30 }, (_, i) => {
        return { topic: 'again', name: `e${i}`, key: `k${i % 5}` };
      });
      await publish(gateway, ...events);
      const all = await follow(gateway, 'topic=again&from=beginning');
      await expect.poll(() => all.names().length, waitOptions).toBe(30);
      for (const [index, { id }] of all.events().entries()) {
        if (index % 7 > 0) continue;
        const rest = await follow(gateway, 'topic=again', { 'last-event-id': id });
        await expect.poll(() => rest.names(), waitOptions).toHaveLength(29 - index);
        const names = [...all.names().slice(0, index + 1), ...rest.names()];
        expect(new Set(names).size).toBe(30);
      }
      const since = await follow(gateway, 'topic=again&since=2000-01-01T00:00:00Z&name=e7');
      await expect.poll(() => since.names(), waitOptions).toEqual(['e7']);
    });

    it('loses no event while a client that got none yet reconnects', async () => {
      await publish(gateway, { topic: 'gap', name: 'before' });
      const first = await follow(gateway, 'topic=gap');
      await expect.poll(() => first.text(), waitOptions).toMatch(/^id: \S+$/m);
      const [, id = ''] = /^id: (.*)$/m.exec(first.text()) ?? [];
      first.leave();
      await publish(gateway, { topic: 'gap', name: 'meanwhile' });
      const second = await follow(gateway, 'topic=gap', { 'last-event-id': id });
      await expect.poll(() => second.names(), waitOptions).toEqual(['meanwhile']);
    });

    it('refuses `until`, and a HEAD request', async () => {
      await publish(gateway, { topic: 'new', name: 'before' });
      const bounded = await follow(gateway, 'topic=new&until=2030-01-01T00:00:00Z');
      expect(bounded.response.status).toBe(422);
      const head = await fetch(`${gateway.url}/v1/events?topic=new`, {
        method: 'HEAD',
        headers: { accept: 'text/event-stream' },
      });
      expect(head.status).toBe(404);
      await noneLeft();
    });
  });
});

describeWithPostgres('followers', () => {
  it('get a heartbeat without events, with the new cursor', async () => {
    const gateway = await listen({ config: { heartbeatMs: 50, pollMs: 50 } });
    onTestFinished(() => gateway.close());
    await publish(gateway, { topic: 't', name: 'a' });
    const follower = await follow(gateway, 'topic=t&name=rare');
    await expect.poll(() => follower.text(), waitOptions).toMatch(/^:\n\n:\n\n/m);
    await publish(gateway, { topic: 't', name: 'common' });
    await expect
      .poll(() => new Set(follower.text().match(/^id: .*$/gm)).size, waitOptions)
      .toBeGreaterThan(1);
    const last =
      follower
        .text()
        .match(/^id: (.*)$/gm)
        ?.at(-1)
        ?.slice(4) ?? '';
    const page = await gateway.call<{ items: unknown[] }>(
      'GET',
      `/v1/events?topic=t&cursor=${last}`,
    );
    expect(page.json.items).toEqual([]);
    expect(follower.names()).toEqual([]);
  });

  it('are refused above the limit, until one leaves', async () => {
    const gateway = await listen({ config: { maxFollowers: 2 } });
    onTestFinished(() => gateway.close());
    await publish(gateway, { topic: 't', name: 'a' });
    const [first] = await Promise.all([follow(gateway, 'topic=t'), follow(gateway, 'topic=t')]);
    const third = await follow(gateway, 'topic=t');
    expect(third.response.status).toBe(503);
    expect(third.response.headers.get('retry-after')).toBe('1');
    first.leave();
    await expect.poll(() => gateway.events.followers, waitOptions).toBe(1);
    expect((await follow(gateway, 'topic=t')).response.status).toBe(200);
    expect(await gateway.registry.metrics()).toMatch(/^posthaste_event_followers 2$/m);
    expect((await gateway.call('GET', '/v1/events?topic=t')).status).toBe(200);
  });

  it('are refused above the share of a key, and other keys are not', async () => {
    const keys = testKeys({
      one: { id: '1', name: 'one', scopes: ['admin'] },
      two: { id: '2', name: 'two', scopes: ['admin'] },
    });
    const gateway = await listen({
      config: { maxFollowersPerCaller: 1 },
      environment: { POSTHASTE_ACCESS: 'keys' },
      deps: { keys },
    });
    onTestFinished(() => gateway.close());
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    await gateway.call.with(as('one'))('POST', '/v1/events', { topic: 't', name: 'a' });
    expect((await follow(gateway, 'topic=t', as('one'))).response.status).toBe(200);
    const second = await follow(gateway, 'topic=t', as('one'));
    expect(second.response.status).toBe(429);
    expect(second.response.headers.get('retry-after')).toBe('1');
    expect((await follow(gateway, 'topic=t', as('two'))).response.status).toBe(200);
  });

  it('that are slow do not delay others, are not buffered for, and lose nothing', async () => {
    const gateway = await listen({ config: { stallMs: 120_000 } });
    onTestFinished(() => gateway.close());
    const payload = { text: 'x'.repeat(100_000) };
    await publish(gateway, { topic: 't', name: 'first' });
    const { port } = new URL(gateway.url);
    const slow = await rawConnection(Number(port));
    onTestFinished(() => slow.close());
    slow.socket.pause();
    slow.write(
      'GET /v1/events?topic=t&from=beginning HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n',
    );
    const quick = await follow(gateway, 'topic=t&from=beginning');
    const heldBefore = heldBytes();
    for (let i = 0; i < 15; i += 1) {
      const events = Array.from({ length: 9 }, (_, n) => {
        return { topic: 't', key: 'k', name: `e${i * 9 + n}`, payload };
      });
      expect((await publish(gateway, ...events)).status).toBe(200);
    }
    await expect.poll(() => quick.names().length, rarely).toBe(136);
    quick.leave();
    // 13.5 MB were published. Polled, because V8 frees buffers some time after their collection.
    await expect.poll(() => heldBytes() - heldBefore, rarely).toBeLessThan(6_000_000);
    let received = '';
    slow.socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    slow.socket.resume();
    await expect.poll(() => received.match(/^data: /gm)?.length, rarely).toBe(136);
    const names = [...received.matchAll(/"name":"e(\d+)"/g)].map(([, n]) => Number(n));
    expect(names).toEqual(names.map((_, n) => n));
  });

  it('that read nothing are disconnected', async () => {
    const gateway = await listen({ config: { stallMs: 200 } });
    onTestFinished(() => gateway.close());
    const events = Array.from({ length: 100 }, (_, i) => {
      return { topic: 't', name: `e${i}`, payload: { text: 'x'.repeat(9_000) } };
    });
    for (let i = 0; i < 20; i += 1) await publish(gateway, ...events);
    const { port } = new URL(gateway.url);
    const stalled = await rawConnection(Number(port));
    stalled.socket.pause();
    stalled.write(
      'GET /v1/events?topic=t&from=beginning HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n',
    );
    await expect.poll(() => gateway.events.followers, waitOptions).toBe(1);
    await expect.poll(() => gateway.events.followers, waitOptions).toBe(0);
    stalled.close();
  });

  it('that stop without closing the connection are noticed', async () => {
    const gateway = await listen({ config: { heartbeatMs: 50 } });
    onTestFinished(() => gateway.close());
    await publish(gateway, { topic: 't', name: 'a' });
    const { port } = new URL(gateway.url);
    for (let i = 0; i < 20; i += 1) {
      const each = await rawConnection(Number(port));
      each.write(
        'GET /v1/events?topic=t HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n',
      );
      if (i % 2) await once(each.socket, 'data');
      each.socket.resetAndDestroy();
    }
    await expect.poll(() => gateway.events.followers, waitOptions).toBe(0);
    expect(gateway.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it('are ended when their API key is revoked, and not while the database cannot be reached', async () => {
    const key = (name: string) => ({ id: name, name, scopes: ['admin'] as const });
    const known = { one: key('one'), other: key('other') };
    const valid: Record<string, TestKey> = { ...known };
    const keys = testKeys(valid);
    const environment = { POSTHASTE_ACCESS: 'keys' };
    const gateway = await listen({ deps: { keys }, environment, config: { recheckMs: 50 } });
    onTestFinished(() => gateway.close());
    await gateway.log.ensureTopic('t');
    const followers = await Promise.all(
      ['one', 'other'].map((token) =>
        follow(gateway, 'topic=t', { authorization: `Bearer ${token}` }),
      ),
    );
    keys.authenticate = () => Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'away'));
    await pause(150);
    expect(gateway.events.followers).toBe(2);
    Object.assign(keys, testKeys(valid));
    delete valid.one;
    await followers[0]?.ended;
    await pause(150);
    expect(gateway.events.followers).toBe(1);
  });

  it('continue after the database could not be reached', async () => {
    const gateway = await listen({ config: { pollMs: 50 } });
    onTestFinished(() => gateway.close());
    await publish(gateway, { topic: 't', name: 'before' });
    const follower = await follow(gateway, 'topic=t&from=beginning');
    await expect.poll(() => follower.names(), waitOptions).toEqual(['before']);
    await gateway.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    await pause(100);
    await publish(gateway, { topic: 't', name: 'after' });
    await expect.poll(() => follower.names(), waitOptions).toEqual(['before', 'after']);
  });

  it('are ended when the server stops, slow ones too', async () => {
    const gateway = await listen();
    await publish(gateway, { topic: 't', name: 'a' });
    const follower = await follow(gateway, 'topic=t');
    const startedAt = performance.now();
    await gateway.close();
    await follower.ended;
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(follower.text()).toMatch(/\n\n$/);
  });
});
