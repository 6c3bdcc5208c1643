import type { RealmChannelCount } from '@posthaste/appsync-server';
import { listCountedChannels } from '@posthaste/appsync-server/postgres';
import { type Database, openPostgres } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createPlatformDatabase } from '../../test/test-platform.js';
import { ChannelReporter } from './channel-reporter.js';

const wait = { timeout: 30_000 };
const ofShop = (channel: string, subscribers = 1): RealmChannelCount => ({
  ...{ realm: 'shop', channel, subscribers },
});

describeWithPostgres('the report of subscribers', () => {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  let db: Database;

  beforeAll(async () => {
    database = await createPlatformDatabase();
    db = await openPostgres({ url: database.url, maxConnections: 4 });
  });
  afterAll(async () => {
    await db?.close();
    await database?.drop();
  });

  const list = async (): Promise<string[]> => {
    const found = await listCountedChannels(db, { application: 'shop', limit: 100_000 });
    return found.map(({ channel, subscribers }) => `${channel} ${subscribers}`);
  };

  /** Starts a reporter of channels that a test changes. */
  function startReporter(of: Pick<Database, 'query' | 'transaction'> = db) {
    const state = { channels: [] as RealmChannelCount[], errors: [] as unknown[] };
    const reporter = new ChannelReporter(of, {
      listChannels: () => state.channels,
      onError: (error) => state.errors.push(error),
      intervalMs: 10,
    });
    reporter.start();
    onTestFinished(() => reporter.close());
    return { state, reporter };
  }

  it('follows what changes, and is taken back at the end', async () => {
    const [{ state: one, reporter }, { state: two }] = [startReporter(), startReporter()];
    one.channels = [ofShop('/a', 2), ofShop('/b')];
    two.channels = [ofShop('/a', 3)];
    await expect.poll(list, wait).toEqual(['/a 5', '/b 1']);
    one.channels = [ofShop('/b', 4), ofShop('/c')];
    await expect.poll(list, wait).toEqual(['/a 3', '/b 4', '/c 1']);
    await reporter.close();
    expect(await list()).toEqual(['/a 3']);
    two.channels = [];
    await expect.poll(list, wait).toEqual([]);
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  it('is complete again after the database has lost it', async () => {
    const { state } = startReporter();
    state.channels = [ofShop('/kept')];
    await expect.poll(list, wait).toEqual(['/kept 1']);
    // As after a crash of the database, of which nothing tells.
    await db.query('truncate realtime.channel_node, realtime.channel');
    await expect.poll(list, wait).toEqual(['/kept 1']);
    state.channels = [];
    await expect.poll(list, wait).toEqual([]);
  });

  it('goes on after errors, and stops without a database', async () => {
    let isDown = false;
    const flaky: Pick<Database, 'query' | 'transaction'> = {
      query: (...args) => (isDown ? Promise.reject(new Error('down')) : db.query(...args)),
      transaction: (...args) => db.transaction(...args),
    };
    const { state, reporter } = startReporter(flaky);
    isDown = true;
    state.channels = [ofShop('/later')];
    await expect.poll(() => state.errors.length, wait).toBeGreaterThan(1);
    isDown = false;
    await expect.poll(list, wait).toEqual(['/later 1']);
    isDown = true;
    await reporter.close();
    expect(state.errors.at(-1)).toMatchObject({ message: 'down' });
    await db.query('truncate realtime.channel_node, realtime.channel');
  });

  it('takes many channels in parts', async () => {
    const { state } = startReporter();
    state.channels = Array.from({ length: 12_000 }, (_, n) => ofShop(`/many/${n}`));
    await expect.poll(async () => (await list()).length, wait).toBe(12_000);
    state.channels = [];
    await expect.poll(async () => (await list()).length, wait).toBe(0);
  });
});
