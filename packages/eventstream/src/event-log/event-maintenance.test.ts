import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  appendDeadLetters,
  eventOf,
  namesIn,
  openTestEventLog,
} from '../../test/open-event-log.js';
import type { TestLog } from '../../test/open-log.js';
import { DeadLetterReplays } from './dead-letters/dead-letter-replays.js';
import { EventMaintenance, type EventMaintenanceOptions } from './event-maintenance.js';
import { publishOnce } from './publish/publish-once.js';

const waitOptions = { timeout: 10_000 };

describeWithPostgres('the maintenance of the event log', () => {
  let test: TestLog;
  let replays: DeadLetterReplays;
  let maintenance: EventMaintenance;
  let errors: unknown[];
  const start = (options?: EventMaintenanceOptions): void => {
    const onError = (error: unknown): void => void errors.push(error);
    maintenance = new EventMaintenance({ db: test.db, replays, onError }, options);
  };
  const rowsOf = async (table: string): Promise<number> =>
    (await test.db.query(`select from event_log.${table}`)).rowCount;
  /** Makes rows a number of hours old. */
  const age = (table: string, column: string, hours: number) =>
    test.db.query(`update event_log.${table} set ${column} = now() - $1::int * interval '1 hour'`, [
      hours,
    ]);

  beforeEach(async () => {
    test = await openTestEventLog('postgres');
    replays = new DeadLetterReplays(test);
    errors = [];
  });
  afterEach(async () => {
    await maintenance.close();
    await test.close();
  });

  it('runs a replay at once when it is notified', async () => {
    await appendDeadLetters(test, { name: 'a' }, { name: 'b' });
    start({ pollMs: 60_000 });
    const { id } = await replays.create({ topic: 'orders', application: '', withUnnamed: true });
    maintenance.runNow();
    await expect
      .poll(async () => (await replays.get({ id, within: 'all' })).state, waitOptions)
      .toBe('done');
    expect(await namesIn(test)).toEqual(['a', 'b']);
  });

  it('continues the replay of another process after pollMs', async () => {
    await appendDeadLetters(test, { name: 'a' });
    const { id } = await replays.create({ topic: 'orders', application: '', withUnnamed: true });
    start({ pollMs: 20 });
    await expect
      .poll(async () => (await replays.get({ id, within: 'all' })).state, waitOptions)
      .toBe('done');
  });

  it.each([
    [undefined, 25, 0],
    [undefined, 23, 1],
    [3_600_000, 2, 0],
  ])(
    'with idempotencyMs %j deletes claims after it: %i hours',
    async (idempotencyMs, hours, left) => {
      await publishOnce(test, [{ event: eventOf({ id: 'e1' }), within: 'all' }]);
      await age('event_claim', 'created_at', hours);
      const forgotten = Promise.withResolvers<void>();
      const step = async (): Promise<boolean> => {
        forgotten.resolve();
        return false;
      };
      const onError = (error: unknown): void => void errors.push(error);
      maintenance = new EventMaintenance(
        { db: test.db, replays: { step }, onError },
        { idempotencyMs, pollMs: 10 },
      );
      await forgotten.promise;
      // Waits for the pass in hand.
      await maintenance.close();
      expect(await rowsOf('event_claim')).toBe(left);
      expect(errors).toEqual([]);
    },
  );

  it.each([
    [undefined, 24 * 9 + 1, 0],
    [undefined, 24 * 9 - 1, 1],
    [3_600_000, 50, 0],
  ])(
    'with eventRetentionMs %j deletes notes of replays two days after it: %i hours',
    async (eventRetentionMs, hours, left) => {
      await appendDeadLetters(test, { name: 'a' });
      const { id } = await replays.create({ topic: 'orders', application: '', withUnnamed: true });
      await replays.step();
      expect(await replays.get({ id, within: 'all' })).toMatchObject({ replayed: 1 });
      await age('replayed_dead_letter', 'replayed_at', hours);
      start({ eventRetentionMs, pollMs: 10 });
      // Time for several passes, which may be a few more when something is to be deleted.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await expect.poll(() => rowsOf('replayed_dead_letter'), waitOptions).toBe(left);
      await maintenance.close();
    },
  );

  it('reports a failed pass, and tries again', async () => {
    await test.db.query('alter table event_log.dead_letter_replay rename to elsewhere');
    start({ pollMs: 10 });
    await expect.poll(() => errors.length, waitOptions).toBe(1);
    await test.db.query('alter table event_log.elsewhere rename to dead_letter_replay');
    await appendDeadLetters(test, { name: 'a' });
    const { id } = await replays.create({ topic: 'orders', application: '', withUnnamed: true });
    await expect
      .poll(async () => (await replays.get({ id, within: 'all' })).state, waitOptions)
      .toBe('done');
    expect(errors).toHaveLength(1);
  });
});
