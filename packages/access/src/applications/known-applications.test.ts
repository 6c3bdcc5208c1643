import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useDatabase } from '../../test/access-database.js';
import { registerNames } from './application-store.js';
import { KnownApplications, type KnownApplicationsOptions } from './known-applications.js';
import type { RegisterNames, Registrant } from './recorded-registration.js';

/** Somebody who names applications. */
const by: Registrant = { actor: { kind: 'key', id: '1', name: 'one' } };

/** The same database, with its statements counted. It can be away. */
class CountedDatabase {
  statements: string[] = [];
  isAway = false;
  readonly query: Database['query'];

  constructor(db: Database) {
    this.query = (statement, values) => {
      this.statements.push(typeof statement === 'string' ? statement : statement.text);
      if (this.isAway) throw new PlatformError('DATABASE_UNAVAILABLE', 'away');
      return db.query(statement, values);
    };
  }

  get inserts(): number {
    return this.statements.filter((text) => text.startsWith('insert')).length;
  }
}

describe('applications that a process knows', () => {
  const store = useDatabase('embedded');
  const setState = (name: string, state: string) =>
    store.db.query(`update gateway.application set state = $2 where name = $1`, [name, state]);
  const countOf = async (name: string) => {
    const statement = 'select 1 from gateway.application where name = $1';
    return (await store.db.query(statement, [name])).rows.length;
  };

  async function start(options: Partial<KnownApplicationsOptions> = {}) {
    const db = new CountedDatabase(store.db);
    const register: RegisterNames = async (names) => {
      await registerNames(db, [...names.keys()]);
    };
    const known = new KnownApplications(db, { register, refreshMs: 10, ...options });
    onTestFinished(() => known.close());
    await known.start();
    return { db, known };
  }

  it('are registered once, names of the same moment in one statement', async () => {
    const { db, known } = await start();
    await Promise.all([known.register(['a', 'b'], by), known.register(['', 'a'], by)]);
    for (const name of ['a', 'b', '']) {
      expect(known.isRegistered(name)).toBe(true);
      expect(await countOf(name)).toBe(1);
    }
    await known.register(['b', 'a'], by);
    expect(db.inserts).toBe(1);
  });

  it('are registered after the database comes back', async () => {
    const { db, known } = await start();
    db.isAway = true;
    await known.register(['later'], by);
    expect(await countOf('later')).toBe(0);
    db.isAway = false;
    await expect.poll(() => countOf('later')).toBe(1);
  });

  it('are registered when the process ends', async () => {
    const { known } = await start();
    const registration = known.register(['last'], by);
    await known.close();
    await registration;
    expect(await countOf('last')).toBe(1);
  });

  it('are known as being deleted soon after the deletion has begun, and until it ends', async () => {
    const { known } = await start();
    await known.register(['going'], by);
    expect(known.isDeleting('going')).toBe(false);
    await setState('going', 'deleting');
    await expect.poll(() => known.isDeleting('going')).toBe(true);
    await store.db.query(`delete from gateway.application where name = 'going'`);
    await expect.poll(() => known.isDeleting('going')).toBe(false);
    await known.register(['going'], by);
    expect(await countOf('going')).toBe(1);
  });

  it('are limited in number', async () => {
    const { db, known } = await start({ maxNames: 2 });
    for (const name of ['m1', 'm2', 'm3']) {
      await known.register([name], by);
    }
    expect(db.inserts).toBe(3);
    await known.register(['m3'], by);
    expect(db.inserts).toBe(3);
    await known.register(['m1'], by);
    expect(db.inserts).toBe(4);
  });
});
