import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { accessMigrations } from '../migrations.js';
import type { ApplicationLimits } from './application.js';
import { LimitDirectory } from './limit-directory.js';
import { hasOwnLimits } from './limit-store.js';
import { claimMeasurement, readUsage, storeUsage, type UsageName } from './usage-store.js';

const none: ApplicationLimits = {
  requestsPerSecond: null,
  deliveriesPerSecond: null,
  eventsPerSecond: null,
  backlog: null,
  endpoints: null,
  storedBytes: null,
};

describeWithPostgres('limits of applications', () => {
  let db: Database;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const database = await createTestDatabase();
    ({ drop } = database);
    db = await openPostgres({ url: database.url, maxConnections: 4 });
    await migrate(db, [accessMigrations]);
  });
  beforeEach(async () => {
    await db.query(`truncate gateway.application, gateway.application_usage`);
  });
  afterAll(async () => {
    await db.close();
    await drop();
  });

  const open = async (defaults: Partial<ApplicationLimits> = {}): Promise<LimitDirectory> => {
    const directory = new LimitDirectory(db, {
      defaults: { ...none, ...defaults },
      refreshMs: 20,
    });
    onTestFinished(() => directory.close());
    await directory.start();
    return directory;
  };
  const setLimits = (name: string, limits: object) =>
    db.query(
      `insert into gateway.application (name, limits) values ($1, $2)
       on conflict (name) do update set limits = excluded.limits, updated_at = now()`,
      [name, JSON.stringify(limits)],
    );
  const store = (name: UsageName, amounts: [string, number][]) =>
    db.transaction((tx) => storeUsage(tx, name, new Map(amounts)));

  it('are its own, else the defaults, and change without a restart', async () => {
    await setLimits('a', { backlog: 5 });
    const directory = await open({ backlog: 10, endpoints: 3 });
    expect(directory.limitOf('a', 'backlog')).toBe(5);
    expect(directory.limitOf('a', 'endpoints')).toBe(3);
    expect(directory.limitOf('', 'backlog')).toBe(10);
    expect(directory.limitOf('a', 'storedBytes')).toBe(Number.POSITIVE_INFINITY);
    await setLimits('', { backlog: 7 });
    await expect.poll(() => directory.limitOf('', 'backlog')).toBe(7);
    await setLimits('a', {});
    await expect.poll(() => directory.limitOf('a', 'backlog')).toBe(10);
  });

  it('need no counting while nobody has one', async () => {
    await setLimits('a', {});
    const directory = await open();
    expect([directory.isActive, await hasOwnLimits(db)]).toEqual([false, false]);
    await setLimits('a', { eventsPerSecond: 1 });
    await expect.poll(() => directory.isActive).toBe(true);
    expect(await hasOwnLimits(db)).toBe(true);
  });

  it('are compared with the usage that was measured last', async () => {
    await store('backlog', [
      ['a', 5],
      ['b', 6],
    ]);
    await store('storedBytes', [['a', 1_000.4]]);
    const directory = await open({ backlog: 1 });
    expect(directory.usageOf('a', 'backlog')).toBe(5);
    expect(directory.usageOf('a', 'storedBytes')).toBe(1_000);
    expect(directory.usageOf('c', 'backlog')).toBe(0);
    await store('backlog', [['b', 7]]);
    await expect.poll(() => directory.usageOf('b', 'backlog')).toBe(7);
    expect(directory.usageOf('a', 'backlog')).toBe(0);
    await store('backlog', []);
    expect([...(await readUsage(db, 'all')).keys()]).toEqual(['a']);
    await db.query(`update gateway.application_usage set measured_at = now() - interval '1 h'`);
    expect((await readUsage(db, ['a'])).size).toBe(0);
  });

  it('are measured by one process at a time', async () => {
    const claim = () =>
      db.transaction((tx) => claimMeasurement(tx, { name: 'backlog', withinMs: 60_000 }));
    const claims = await Promise.all([claim(), claim(), claim()]);
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await claim()).toBe(false);
  });
});
