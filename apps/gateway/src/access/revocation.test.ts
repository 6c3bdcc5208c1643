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

  beforeAll(async () => {
    database = await createPlatformDatabase();
    gateway = await openTestPlatform(database);
    other = await openTestPlatform(database);
  });
  afterAll(async () => {
    await gateway.close();
    await other.close();
    await database.drop();
  });

  it('is refused, and the streams that it has opened end', async () => {
    const url = await gateway.listen();
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
});
