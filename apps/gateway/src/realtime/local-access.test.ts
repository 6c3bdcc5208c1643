import { createConfig } from '@posthaste/appsync-client';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import { openTestRealtime, type TestRealtime, takeEvents } from '../../test/test-realtime.js';

describeWithPostgres('realtime channels on a loopback address without keys', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let gateway: TestRealtime;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    gateway = await openTestRealtime(database, {
      POSTHASTE_ACCESS: 'loopback',
      POSTHASTE_DEFAULT_APPLICATION: 'shop',
    });
  });
  afterAll(async () => {
    await gateway?.close();
    await database?.drop();
  });

  async function post(headers: Record<string, string>): Promise<number> {
    const response = await fetch(`${gateway.gateway.url}/event`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ channel: '/default/a', events: ['1'] }),
    });
    await response.text();
    return response.status;
  }

  it('take any credential and none, for the default application', async () => {
    const reader = await gateway.connect(await gateway.createKey({ applications: ['shop'] }));
    const subscription = reader.subscribe('/default/a');
    await subscription.ready;
    const writer = await gateway.connect('da2-of-another-form');
    await writer.publish('/default/a', ['"key"']);
    expect(await post({})).toBe(200);
    expect(await post({ authorization: 'opaque' })).toBe(200);
    expect(await takeEvents(subscription, 3)).toEqual(['"key"', '1', '1']);
  });

  it('are those of the application that a client names, which is registered', async () => {
    const headers = { 'x-api-key': 'any', 'x-posthaste-application': 'depot' };
    const endpoint = `${gateway.gateway.url}/event`;
    const named = await gateway.connectBy(createConfig([endpoint, undefined], () => headers));
    const subscription = named.subscribe('/default/a');
    await subscription.ready;
    expect(await post({})).toBe(200);
    await named.publish('/default/a', ['"own"']);
    expect(await takeEvents(subscription, 1)).toEqual(['"own"']);
    const names = async () => (await gateway.db.query('select name from gateway.application')).rows;
    await expect.poll(names, { timeout: 30_000 }).toContainEqual({ name: 'depot' });
    expect(await post({ 'x-posthaste-application': 'x'.repeat(1_000) })).toBe(400);
  });

  it('check a credential of the platform that is sent, and it binds', async () => {
    const key = await gateway.createKey({ scopes: ['realtime:subscribe'] });
    expect(await post({ 'x-api-key': key })).toBe(403);
    expect(await post({ 'x-api-key': `${key}x` })).toBe(401);
    expect(await post({ authorization: `Bearer ${key}x` })).toBe(401);
    const shop = await gateway.createKey();
    expect(await post({ 'x-api-key': shop, 'x-posthaste-application': 'depot' })).toBe(403);
  });
});
