import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  appendDeadLetters,
  type DeadLetterInput,
  type Engine,
  namesIn,
  openTestEventLog,
} from '../../../test/open-event-log.js';
import type { TestLog } from '../../../test/open-log.js';
import type { DeadLetterReplay, NewDeadLetterReplay } from './dead-letter-replay-store.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import { listDeadLetters, listDeadLetterTopics } from './dead-letters.js';

const waitOptions = { timeout: 15_000 };
/** Dead letters that a caller for all applications replays who names none. */
const allLetters = { application: '', withUnnamed: true } as const;
const unknownId = '019a8d3c-5a01-7c3e-9d4b-2f6f1f0a7c11';

describe.each<Engine>(['postgres', 'embedded'])('dead letters on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    let replays: DeadLetterReplays;
    let topic = '';
    let topics = 0;
    const put = (...letters: DeadLetterInput[]) =>
      appendDeadLetters(test, ...letters.map((letter) => ({ topic, ...letter })));
    /** Creates a replay and makes all of its steps. */
    const replay = async (
      options: Partial<NewDeadLetterReplay> = {},
    ): Promise<DeadLetterReplay> => {
      const { id } = await replays.create({
        topic,
        ...allLetters,
        ratePerSecond: 10_000,
        ...options,
      });
      await expect
        .poll(async () => {
          while (await replays.step());
          return (await replays.get({ id, within: 'all' })).state;
        }, waitOptions)
        .not.toBe('running');
      return replays.get({ id, within: 'all' });
    };

    beforeAll(async () => {
      test = await openTestEventLog(engine);
      replays = new DeadLetterReplays(test);
    });
    beforeEach(() => {
      topics += 1;
      topic = `topic-${topics}`;
    });
    afterAll(() => test.close());

    it('are listed with their failure, and replayed once unless again is set', async () => {
      await put({ name: 'a' }, { name: 'b', group: 'search' });
      await put({ name: 'bare', headers: {} });
      const topics = await listDeadLetterTopics(test.log, 'all', topic);
      expect(topics).toEqual([`${topic}.dlq`]);
      expect(await listDeadLetterTopics(test.log, 'all')).toContain(`${topic}.dlq`);
      const ofMail = await listDeadLetters(test, { within: 'all', topics, group: 'mail' });
      expect(ofMail).toMatchObject({
        letters: [
          {
            record: { offset: 0n },
            failure: { topic, partition: 2, offset: 7, group: 'mail', attempts: 5 },
            replayedAt: undefined,
          },
        ],
        isLast: true,
      });

      const chosen = await replay({ filter: { group: 'search' } });
      expect(chosen).toMatchObject({ state: 'done', matched: 1, replayed: 1, skipped: 0 });
      const counted = await replay({ dryRun: true });
      expect(counted).toMatchObject({ matched: 3, replayed: 0, skipped: 2 });
      expect(await namesIn(test, topic)).toEqual(['b']);
      expect(await replay()).toMatchObject({ matched: 3, replayed: 1, skipped: 2 });
      expect(await replay({ again: true })).toMatchObject({ matched: 3, replayed: 2, skipped: 1 });
      expect(await namesIn(test, topic)).toEqual(['b', 'a', 'a', 'b']);

      const { letters } = await listDeadLetters(test, { within: 'all', topics });
      expect(letters.map(({ replayedAt }) => replayedAt instanceof Date)).toEqual([
        true,
        true,
        false,
      ]);
      const newest = await replays.list({ within: 'all', limit: 2 });
      expect(newest.map(({ again }) => again)).toEqual([true, false]);
      const next = await replays.list({ within: 'all', limit: 9, before: newest.at(-1)?.id });
      expect(next).toMatchObject([{ dryRun: true }, { id: chosen.id }]);
    });

    it('are replayed at the given rate, until the replay is cancelled', async () => {
      await put(...Array.from({ length: 9 }, (_, i) => ({ name: `e${i}` })));
      const { id } = await replays.create({ topic, ...allLetters, ratePerSecond: 2 });
      const dueIn = (interval: string) =>
        test.db.query(
          'update event_log.dead_letter_replay set turn_at = now() + $2::interval where id = $1',
          [id, interval],
        );
      expect(await replays.step()).toBe(true);
      expect(await replays.get({ id, within: 'all' })).toMatchObject({
        state: 'running',
        replayed: 1,
      });
      const { rows } = await test.db.query(
        `select extract(epoch from turn_at - updated_at)::float8 as pause
         from event_log.dead_letter_replay where id = $1`,
        [id],
      );
      expect(rows).toEqual([{ pause: 0.5 }]);
      await dueIn('1 hour');
      expect(await replays.step()).toBe(false);
      // Two at most, those of one second, however long no process made a step.
      await dueIn('-1 hour');
      expect(await replays.step()).toBe(true);
      expect(await replays.cancel({ id, within: 'all' })).toMatchObject({
        state: 'cancelled',
        replayed: 3,
      });
      await dueIn('-1 hour');
      expect(await replays.step()).toBe(false);
      expect(await replays.cancel({ id, within: 'all' })).toMatchObject({
        state: 'cancelled',
        replayed: 3,
      });
    });

    it('are not replayed without a valid request', async () => {
      await expect(replays.create({ topic, ...allLetters })).rejects.toMatchObject({
        code: 'TOPIC_NOT_FOUND',
      });
      await put({ name: 'a' });
      const refused = [
        [{ filter: { since: '2016-12-31T23:59:60Z' } }, 'REQUEST_INVALID'],
        [{ ratePerSecond: 0 }, 'OPTION_INVALID'],
        [{ ratePerSecond: 1.5 }, 'OPTION_INVALID'],
      ] as const;
      for (const [options, code] of refused) {
        await expect(replays.create({ topic, ...allLetters, ...options })).rejects.toMatchObject({
          code,
        });
      }
      for (const id of ['none', unknownId]) {
        await expect(replays.get({ id, within: 'all' })).rejects.toMatchObject({
          code: 'REPLAY_NOT_FOUND',
        });
        await expect(replays.cancel({ id, within: 'all' })).rejects.toMatchObject({
          code: 'REPLAY_NOT_FOUND',
        });
      }
    });
  });
});

describeWithPostgres('a replay that several processes step', () => {
  it('publishes each dead letter once, in order', async () => {
    const test = await openTestEventLog('postgres');
    const names = Array.from({ length: 120 }, (_, i) => `e${i}`);
    await appendDeadLetters(test, ...names.map((name) => ({ name })));
    const processes = Array.from({ length: 4 }, () => new DeadLetterReplays(test));
    const { id } = (await processes[0]?.create({
      topic: 'orders',
      ...allLetters,
      ratePerSecond: 60,
    })) ?? {
      id: '',
    };
    await expect
      .poll(
        async () => {
          await Promise.all(processes.map((each) => each.step()));
          return (await processes[0]?.get({ id, within: 'all' }))?.state;
        },
        { ...waitOptions, interval: 10 },
      )
      .toBe('done');
    const { records } = await test.log.listEvents({
      within: 'all',
      topics: ['orders'],
      limit: 1_000,
    });
    expect(records.map(({ value }) => JSON.parse(String(value)).name)).toEqual(names);
    await test.close();
  });

  it('ends in the state failed when a retry would fail in the same way', async () => {
    const test = await openTestEventLog('postgres');
    await appendDeadLetters(test, { name: 'a' });
    const replays = new DeadLetterReplays(test);
    const { id } = await replays.create({ topic: 'orders', ...allLetters });
    await test.db.query(
      `update event_log.dead_letter_replay set filter = '{"since":"yesterday"}' where id = $1`,
      [id],
    );
    expect(await replays.step()).toBe(true);
    expect(await replays.get({ id, within: 'all' })).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('since'),
    });
    await test.close();
  });
});
