import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { follow } from '../../test/follower.js';
import {
  createPlatformDatabase,
  openTestPlatform,
  type TestPlatform,
} from '../../test/test-platform.js';

/** Far longer than it takes, and shorter than anything that is not checked in the background. */
const waitOptions = { timeout: 5_000 };

describeWithPostgres('a key that is revoked by another process', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let gateway: TestPlatform;
  let other: TestPlatform;
  let url: string;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    gateway = await openTestPlatform(database);
    other = await openTestPlatform(database);
    url = await gateway.listen();
  });
  afterAll(async () => {
    await gateway.close();
    await other.close();
    await database.drop();
  });

  it('is refused, and the streams that it has opened end', async () => {
    const [token, kept] = [await gateway.createKey(), await gateway.createKey()];
    await gateway.as(kept)('POST', '/v1/events', { topic: 'orders', name: 'first' });
    const headersOf = (key: string) => ({ authorization: `Bearer ${key}` });
    const address = `${url}/v1/events?topic=orders`;
    const stream = await follow(address, headersOf(token));
    const keptStream = await follow(address, headersOf(kept));
    let isKeptOpen = true;
    void keptStream.ended.then(() => {
      isKeptOpen = false;
    });
    const { id } = await gateway.keys.authenticate(token);
    await other.keys.revokeKey(id, 'all');
    await expect
      .poll(async () => (await gateway.as(token)('GET', '/v1/keys')).status, waitOptions)
      .toBe(401);
    await stream.ended;
    expect(isKeptOpen).toBe(true);
    keptStream.leave();
  });

  it('ends the streams of its tokens and sessions too', async () => {
    const key = await gateway.createKey({ applications: ['shop'] });
    await gateway.as(key)('POST', '/v1/events', { topic: 'orders', name: 'first' });
    const body = { name: 'portal', scopes: ['events:read'] };
    const made = await gateway.as(key)<{ token: string }>('POST', '/v1/tokens', body);
    const session = await gateway.as(key)('POST', '/v1/sessions');
    const [cookie = ''] = [session.headers['set-cookie']].flat().map((text) => String(text));
    const streams = [
      await follow(`${url}/v1/events?topic=orders`, { authorization: `Bearer ${made.json.token}` }),
      await follow(`${url}/v1/events?topic=orders`, { cookie: cookie.replace(/;.*/, '') }),
    ];
    expect(streams.map(({ response }) => response.status)).toEqual([200, 200]);
    const { id } = await gateway.keys.authenticate(key);
    await other.keys.revokeKey(id, 'all');
    await Promise.all(streams.map(({ ended }) => ended));
  });
});
