import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AmbientDatabase, afterCommit, ambientDatabase } from './ambient-database.js';
import type { Database } from './database.js';
import { openEmbedded } from './embedded/open-embedded.js';
import { openPostgres } from './server/open-postgres.js';

const failure = new Error('the work fails');

function testOn(open: () => Promise<{ db: Database; drop(): Promise<void> }>): void {
  let db: Database;
  let drop: () => Promise<void>;
  let ambient: AmbientDatabase;
  const insert = (name: string) => ambient.query('insert into thing values ($1)', [name]);
  /** Names that others see; on the embedded engine once its only connection is free. */
  const committed = async (): Promise<string[]> => {
    const { rows } = await db.query<{ name: string }>('select name from thing order by name');
    return rows.map(({ name }) => name);
  };

  beforeAll(async () => {
    ({ db, drop } = await open());
    ambient = ambientDatabase(db);
    await db.query('create table thing (name text primary key)');
  });
  beforeEach(async () => void (await db.query('delete from thing')));
  afterAll(async () => {
    await db.close();
    await drop();
  });

  it('commits all statements of the function together, those of functions that it calls too', async () => {
    await ambient.runInTransaction(async (tx) => {
      await insert('a');
      await ambient.transaction((inner) => inner.query("insert into thing values ('b')"));
      await tx.query("insert into thing values ('c')");
      expect((await ambient.query('select from thing')).rowCount).toBe(3);
    });
    expect(await committed()).toEqual(['a', 'b', 'c']);
  });

  it('writes nothing if the function fails', async () => {
    const work = ambient.runInTransaction(async () => {
      await insert('a');
      await ambient.transaction(() => insert('b'));
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(await committed()).toEqual([]);
  });

  it('undoes only an inner transaction that fails, also by an error of the database', async () => {
    await ambient.runInTransaction(async () => {
      await insert('a');
      const twice = ambient.transaction(async () => {
        await insert('b');
        await insert('a');
      });
      await expect(twice).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
      await insert('c');
    });
    expect(await committed()).toEqual(['a', 'c']);
  });

  it('runs inner transactions that begin together one after another, and those in them at once', async () => {
    await ambient.runInTransaction(async () => {
      const results = await Promise.allSettled(
        ['a', 'b', 'c'].map((name) =>
          ambient.transaction(async () => {
            await insert(name);
            await ambient.transaction(() => insert(`${name} inner`));
            if (name === 'b') throw failure;
          }),
        ),
      );
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await committed()).toEqual(['a', 'a inner', 'c', 'c inner']);
  });

  it('is the plain handle outside, and in what outlives the transaction', async () => {
    let late: Promise<unknown> = Promise.resolve();
    const hasEnded = Promise.withResolvers<void>();
    await ambient.runInTransaction(async () => {
      late = hasEnded.promise.then(() => insert('late'));
    });
    hasEnded.resolve();
    await late;
    await insert('outside');
    await expect(
      ambient.transaction(async (tx) => {
        await tx.query("insert into thing values ('lost')");
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(await committed()).toEqual(['late', 'outside']);
  });

  it('does what waits for the commit after it, and before the caller continues', async () => {
    const seen: string[][] = [];
    await ambient.runInTransaction(async () => {
      await insert('a');
      await afterCommit(ambient, async () => seen.push(await committed()));
      await ambient.transaction(() => afterCommit(ambient, () => seen.push(['inner'])));
      await ambient
        .transaction(async () => {
          await afterCommit(ambient, () => seen.push(['undone']));
          throw failure;
        })
        .catch(() => undefined);
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual([['a'], ['inner']]);
    await ambient
      .runInTransaction(async () => {
        await afterCommit(ambient, () => seen.push(['rolled back']));
        throw failure;
      })
      .catch(() => undefined);
    await afterCommit(ambient, () => seen.push(['at once']));
    await afterCommit(db, () => seen.push(['plain']));
    expect(seen.slice(2)).toEqual([['at once'], ['plain']]);
  });
}

describe('ambientDatabase, embedded', () => {
  testOn(async () => ({ db: await openEmbedded(), drop: async () => undefined }));
});

describeWithPostgres('ambientDatabase, on Postgres', () => {
  testOn(async () => {
    const { url, drop } = await createTestDatabase();
    return { db: await openPostgres({ url, maxConnections: 4 }), drop };
  });
});
