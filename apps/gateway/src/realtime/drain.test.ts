import { once } from 'node:events';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type TestRealtime, takeEvents, useGateways } from '../../test/test-realtime.js';

const wait = { timeout: 60_000 };

describeWithPostgres('a gateway with realtime connections that stops', () => {
  const gateways = useGateways();

  async function open(realtimeDrainMs: number): Promise<TestRealtime> {
    return gateways.open({}, { realtimeDrainMs });
  }

  /** Opens a bare connection. Returns its socket, and the time and code of its end. */
  async function dial({ gateway }: TestRealtime, key: string) {
    const headers = Buffer.from(JSON.stringify({ 'x-api-key': key })).toString('base64url');
    const url = `${gateway.url.replace('http', 'ws')}/event/realtime`;
    const socket = new WebSocket(url, ['aws-appsync-event-ws', `header-${headers}`]);
    await once(socket, 'open');
    const closed = once(socket, 'close').then(([code]) => ({ code, at: performance.now() }));
    return { socket, closed };
  }

  it('closes them one after another over the drain time, with 1001', async () => {
    const gateway = await open(2_000);
    const key = await gateway.createKey();
    const dialled = await Promise.all(Array.from({ length: 40 }, () => dial(gateway, key)));
    const startedAt = performance.now();
    const stopped = gateway.gateway.close(500);
    const ends = await Promise.all(dialled.map(({ closed }) => closed));
    expect(ends.map(({ code }) => code)).toEqual(Array.from({ length: 40 }, () => 1001));
    const times = ends.map(({ at }) => at - startedAt).toSorted((a, b) => a - b);
    // The limit of requests is no limit of connections. Slow machines are later, never earlier.
    expect(times.at(-1)).toBeGreaterThan(1_500);
    expect(times.filter((ms) => ms < 1_000).length).toBeLessThanOrEqual(25);
    await stopped;
  });

  it('ends at once with few of them, whatever the drain time', async () => {
    const gateway = await open(3_600_000);
    const key = await gateway.createKey();
    const { closed } = await dial(gateway, key);
    await gateway.gateway.close(500);
    expect((await closed).code).toBe(1001);
  });

  it('answers publishes meanwhile, and delivers them', async () => {
    const gateway = await open(10_000);
    const other = await open(0);
    const key = await gateway.createKey();
    const dialled = await Promise.all(Array.from({ length: 200 }, () => dial(gateway, key)));
    // The last ones to be closed.
    const subscriber = await gateway.connect(key);
    const elsewhere = await other.connect(key);
    const publisher = await gateway.connect(key);
    const here = subscriber.subscribe('/default/drain');
    const there = elsewhere.subscribe('/default/drain');
    await Promise.all([here.ready, there.ready]);
    const stopped = gateway.gateway.close(500);
    await dialled[0]?.closed;
    expect(await publisher.publish('/default/drain', ['"late"'])).toMatchObject({ failed: [] });
    expect(await takeEvents(there, 1)).toEqual(['"late"']);
    expect(await takeEvents(here, 1)).toEqual(['"late"']);
    await Promise.all(dialled.map(({ closed }) => closed));
    await expect.poll(() => publisher.state, wait).toBe('reconnecting');
    await stopped;
  });
});
