import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Database } from '../database.js';
import { EmbeddedMaintenance } from './maintenance.js';
import { openEmbedded } from './open-embedded.js';

let db: Database;
let maintenance: EmbeddedMaintenance;
const logger = { warn: vi.fn() };

beforeAll(async () => {
  db = await openEmbedded();
  await db.query(`create schema "odd Name"`);
  await db.query(`create table "odd Name".counter (id int primary key, n int, pad text)`);
  await db.query(
    `insert into "odd Name".counter select i, 0, repeat('x', 200) from generate_series(1, 1000) i`,
  );
});
afterAll(() => db.close());
beforeEach(() => {
  maintenance = new EmbeddedMaintenance(db, logger);
});
afterEach(() => {
  maintenance.stop();
  vi.useRealTimers();
});

const updateAll = async (rounds: number): Promise<void> => {
  for (let i = 0; i < rounds; i++) await db.query(`update "odd Name".counter set n = n + 1`);
};

const size = async (): Promise<number> => {
  const { rows } = await db.query<{ size: bigint }>(
    `select pg_relation_size('"odd Name".counter') as size`,
  );
  return Number(rows[0]?.size);
};

const logSinceCheckpoint = async (): Promise<number> => {
  const { rows } = await db.query<{ bytes: bigint }>(
    `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::int8 as bytes
     from pg_control_checkpoint()`,
  );
  return Number(rows[0]?.bytes);
};

it('limits the size of a table that is updated again and again', async () => {
  await updateAll(5);
  await maintenance.run();
  const before = await size();
  for (let round = 0; round < 6; round++) {
    // Statistics of a session are delayed by up to a second, unless they are flushed.
    await updateAll(5);
    await db.query('select pg_stat_force_next_flush()');
    await maintenance.run();
  }
  expect(await size()).toBeLessThan(3 * before);
});

it('limits the log that a recovery would have to read', async () => {
  for (let round = 0; round < 10; round++) {
    // 16 MB of the log each, without the work of as many updates.
    await db.query(`select pg_logical_emit_message(false, 'test', repeat('x', 16 * 1024 * 1024))`);
    await maintenance.run();
  }
  expect(await logSinceCheckpoint()).toBeLessThan(80 * 1024 * 1024);
});

it('does nothing if nothing was written', async () => {
  // Work of a run is written too: the last one finds nothing to do.
  for (let round = 0; round < 3; round++) await maintenance.run();
  const query = vi.spyOn(db, 'query');
  await maintenance.run();
  await maintenance.run();
  expect(query).toHaveBeenCalledTimes(2);
});

it('runs every 15 seconds, and logs failures', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const query = vi.fn().mockRejectedValue(new Error('no'));
  const timed = new EmbeddedMaintenance({ query }, logger);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(query).toHaveBeenCalledTimes(2);
  expect(logger.warn).toHaveBeenCalledTimes(2);
  timed.stop();
  await vi.advanceTimersByTimeAsync(31_000);
  expect(query).toHaveBeenCalledTimes(2);
});
