import { type Database, migrate, openEmbedded, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { claimEvent, forgetHandled, handleOnce } from './inbox.js';
import { inboxMigrations } from './migrations.js';

const entry = { groupId: 'game.mail', eventId: 'e1' };

async function openPostgresInbox(): Promise<{ db: Database; close(): Promise<void> }> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url, maxConnections: 4 });
  return {
    db,
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}

async function openEmbeddedInbox(): Promise<{ db: Database; close(): Promise<void> }> {
  const db = await openEmbedded({});
  return { db, close: () => db.close() };
}

describe.each([
  { engine: 'postgres', open: openPostgresInbox },
  { engine: 'embedded', open: openEmbeddedInbox },
])('the inbox on $engine', ({ open }) => {
  let inbox: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    inbox = await open();
    await migrate(inbox.db, [inboxMigrations]);
    await inbox.db.query('create table done (id text)');
  });
  beforeEach(() => inbox.db.query('truncate inbox.handled; truncate done'));
  afterAll(() => inbox.close());

  const work = (tx: Pick<Database, 'query'>) => tx.query(`insert into done values ('x')`);
  const countDone = async (): Promise<number> =>
    (await inbox.db.query('select from done')).rowCount;

  it('runs the work once per group, however often the event is delivered', async () => {
    expect(await handleOnce(inbox.db, entry, work)).toBe(true);
    expect(await handleOnce(inbox.db, entry, work)).toBe(false);
    expect(await handleOnce(inbox.db, { ...entry, groupId: 'other' }, work)).toBe(true);
    expect(await countDone()).toBe(2);
  });

  it('stores nothing when the work fails', async () => {
    const failing = async (tx: Pick<Database, 'query'>): Promise<never> => {
      await work(tx);
      throw new Error('no');
    };
    await expect(handleOnce(inbox.db, entry, failing)).rejects.toThrow('no');
    expect(await countDone()).toBe(0);
    expect(await handleOnce(inbox.db, entry, work)).toBe(true);
  });

  it('works in a transaction of the caller', async () => {
    const claim = (): Promise<boolean> =>
      inbox.db.transaction(async (tx) => {
        const isFirst = await claimEvent(tx, entry);
        if (isFirst) await work(tx);
        return isFirst;
      });
    expect([await claim(), await claim()]).toEqual([true, false]);
    expect(await countDone()).toBe(1);
  });

  it('runs the work once when the event is delivered twice at the same time', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => handleOnce(inbox.db, entry, work)));
    expect(runs.filter(Boolean)).toHaveLength(1);
    expect(await countDone()).toBe(1);
  });

  it('deletes entries older than the retention, a limited number per call', async () => {
    await inbox.db.query(
      `insert into inbox.handled select 'g', i::text, now() - i * interval '1 hour'
       from generate_series(1, 10) as i`,
    );
    expect(await forgetHandled(inbox.db, { retentionHours: 4.5, maxRows: 4 })).toBe(4);
    expect(await forgetHandled(inbox.db, { retentionHours: 4.5, maxRows: 4 })).toBe(2);
    const { rows } = await inbox.db.query<{ event_id: string }>(
      'select event_id from inbox.handled',
    );
    expect(rows.map(({ event_id }) => event_id).toSorted()).toEqual(['1', '2', '3', '4']);
  });

  it('refuses an invalid retention', async () => {
    const forgotten = forgetHandled(inbox.db, { retentionHours: 0 });
    await expect(forgotten).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});
