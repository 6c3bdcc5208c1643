import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Database } from '../database.js';
import { EmbeddedUpkeep } from './maintenance.js';
import { openEmbedded } from './open-embedded.js';

let db: Database;
let upkeep: EmbeddedUpkeep;
const logger = { info: vi.fn(), warn: vi.fn() };

beforeEach(async () => {
  db = await openEmbedded();
  await db.query(`create schema "odd Name"`);
  await db.query(`create table "odd Name".counter (id int primary key, n int, pad text)`);
  await db.query(
    `insert into "odd Name".counter select i, 0, repeat('x', 200) from generate_series(1, 1000) i`,
  );
  upkeep = new EmbeddedUpkeep(db, logger);
});
afterEach(async () => {
  upkeep.stop();
  await db.close();
  vi.useRealTimers();
});

const wear = async (rounds: number): Promise<void> => {
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

it('keeps a table that is updated for ever from growing', async () => {
  await wear(10);
  await upkeep.run();
  const before = await size();
  for (let round = 0; round < 10; round++) {
    // Statistics count what a session did with a delay of up to a second.
    await wear(10);
    await db.query('select pg_stat_force_next_flush()');
    await upkeep.run();
  }
  expect(await size()).toBeLessThan(3 * before);
});

it('keeps the log that a crash would leave to read from growing', async () => {
  for (let round = 0; round < 10; round++) {
    await wear(50);
    await upkeep.run();
  }
  expect(await logSinceCheckpoint()).toBeLessThan(80 * 1024 * 1024);
});

it('leaves a database alone in which nothing was written', async () => {
  await upkeep.run();
  const query = vi.spyOn(db, 'query');
  await upkeep.run();
  await upkeep.run();
  expect(query).toHaveBeenCalledTimes(2);
});

it('is done from time to time, and told of when it fails', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const query = vi.fn().mockRejectedValue(new Error('no'));
  const timed = new EmbeddedUpkeep({ query }, logger);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(query).toHaveBeenCalledTimes(2);
  expect(logger.warn).toHaveBeenCalledTimes(2);
  timed.stop();
  await vi.advanceTimersByTimeAsync(31_000);
  expect(query).toHaveBeenCalledTimes(2);
});
