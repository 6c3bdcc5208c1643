import { parseChannel } from '@posthaste/contracts';
import { eventstreamMigrations, PostgresLog, type StoredRecord } from '@posthaste/eventstream';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { eventRecord } from '../../../test/test-mirror.js';
import type { Interest } from './mirror-interests.js';
import { MirrorTail } from './mirror-tail.js';

const wait = { timeout: 30_000 };

describeWithPostgres('the tail of the mirror', () => {
  let database: TestDatabase;
  let db: Database;
  let log: PostgresLog;
  let writer: Database;
  let appender: PostgresLog;
  let tail: MirrorTail;
  const subscribed = new Set<string>();
  let seen: StoredRecord[] = [];
  let errors: unknown[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    db = await openPostgres({ url: database.url });
    writer = await openPostgres({ url: database.url });
    appender = new PostgresLog({ db: writer });
    await migrate(writer, [eventstreamMigrations]);
    log = new PostgresLog({ db });
    seen = [];
    errors = [];
    subscribed.clear();
    tail = new MirrorTail({
      ...{ log, pollMs: 50, graceMs: 0 },
      isSubscribed: ({ channel }) => subscribed.has(channel.path),
      isWanted: () => true,
      onRecords: (records) => seen.push(...records),
      onError: (error) => errors.push(error),
    });
  });
  afterEach(async () => {
    await tail.close();
    await log.close();
    await Promise.all([db.close(), writer.close()]);
    await database.drop();
  });

  const append = (...topics: readonly string[]) =>
    writer.transaction((tx) =>
      appender.append(
        tx,
        topics.map((topic) => eventRecord(topic, 'a.name', { application: 'shop' })),
      ),
    );

  function interestIn(path: string, topic: string | undefined): Interest {
    const channel = parseChannel(path);
    if (channel === undefined) throw new Error(path);
    subscribed.add(path);
    return { realm: 'shop', channel, topic };
  }

  const seenTopics = (): string[] => seen.map(({ topic }) => topic).toSorted();

  it('asks the database nothing before there is an interest, nor after the last has gone', async () => {
    const query = vi.spyOn(db, 'query');
    await append('orders');
    await tail.follow(interestIn('/posthaste/events/orders', 'orders'));
    await append('orders', 'stock');
    await expect.poll(seenTopics, wait).toEqual(['orders']);
    subscribed.clear();
    // A query is asked at each poll, until there is none for many of them.
    let asked = -1;
    await expect
      .poll(
        () => {
          const before = asked;
          asked = query.mock.calls.length;
          return asked === before;
        },
        { ...wait, interval: 500 },
      )
      .toBe(true);
    await append('orders');
    expect(seenTopics()).toEqual(['orders']);
    // It begins again at the present end.
    await tail.follow(interestIn('/posthaste/events/orders', 'orders'));
    await append('orders');
    await expect.poll(seenTopics, wait).toEqual(['orders', 'orders']);
    expect(errors).toEqual([]);
  });

  it('reads topics that are created while it follows them all, from their beginning', async () => {
    await append('old');
    await tail.follow(interestIn('/posthaste/events/*', undefined));
    await append('new-1', 'new-1.dlq');
    await append('new-2', 'old', 'new-1');
    await expect.poll(seenTopics, wait).toEqual(['new-1', 'new-1', 'new-2', 'old']);
  });

  it('reads a topic that does not exist yet when it does', async () => {
    await tail.follow(interestIn('/posthaste/events/later', 'later'));
    await append('other', 'later');
    await expect.poll(seenTopics, wait).toEqual(['later']);
  });

  it('has a limit for each application, so that one leaves some to the others', async () => {
    await tail.follow(interestIn('/posthaste/events/orders', 'orders'));
    const channel = (i: number) => `/posthaste/events/orders/n${i}`;
    const many = Array.from({ length: 24_999 }, (_, i) =>
      tail.follow(interestIn(channel(i), 'orders')),
    );
    await Promise.all(many);
    expect([tail.isFull('shop'), tail.isFull('game')]).toEqual([true, false]);
    subscribed.clear();
    await expect.poll(() => tail.isFull('shop'), wait).toBe(false);
  });

  it('goes on where it was after errors', async () => {
    await append('orders');
    await tail.follow(interestIn('/posthaste/events/orders', 'orders'));
    const query = vi.spyOn(db, 'query').mockRejectedValue(new Error('away'));
    await append('orders');
    await expect.poll(() => errors.length, wait).toBeGreaterThan(0);
    await append('orders');
    query.mockRestore();
    await expect.poll(seenTopics, wait).toEqual(['orders', 'orders']);
  });
});
