import { newId } from '@posthaste/contracts';
import { migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  appendDeadLetters,
  type Engine,
  namesIn,
  openTestEventLog,
} from '../../../test/open-event-log.js';
import type { TestLog } from '../../../test/open-log.js';
import { PostgresLog } from '../../drivers/postgres/postgres-log.js';
import { eventstreamMigrations } from '../../drivers/postgres/storage/migrations.js';
import { parseTopicRules } from '../../rules/topic-name.js';
import { eventLogMigrations } from '../migrations.js';
import type { NewDeadLetterReplay } from './dead-letter-replay-store.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import { listDeadLetters, listDeadLetterTopics } from './dead-letters.js';

/** Statement by which processes of the version before find the replay to step. */
const oldDue = `
select *, least(rate_per_second,
  1 + floor(extract(epoch from now() - due_at) * rate_per_second))::integer as allowance
from event_log.dead_letter_replay
where state = 'running' and due_at <= now()
order by due_at limit 1`;

describe.each<Engine>(['postgres', 'embedded'])('dead letters of applications on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    let replays: DeadLetterReplays;

    beforeEach(async () => {
      test = await openTestEventLog(engine);
      replays = new DeadLetterReplays({ ...test, maxRunning: 2 });
      await appendDeadLetters(
        test,
        ...['s1', 's2', 's3'].map((name) => ({ name, application: 'shop' })),
        ...['g1', 'g2'].map((name) => ({ name, application: 'game' })),
        { name: 'none' },
      );
    });
    afterEach(() => test.close());

    const create = (application: string, options: Partial<NewDeadLetterReplay> = {}) =>
      replays.create({ topic: 'orders', application, ratePerSecond: 10_000, ...options });
    const stepAll = async () => {
      while (await replays.step());
    };

    it('are listed for their application, whose topic it sees then', async () => {
      expect(await listDeadLetterTopics(test.log, ['shop'])).toEqual(['orders.dlq']);
      expect(await listDeadLetterTopics(test.log, ['other'])).toEqual([]);
      const namesFor = async (within: 'all' | string[]) => {
        const { letters } = await listDeadLetters(test, { within, topics: ['orders.dlq'] });
        return letters.map(({ record }) => JSON.parse(String(record.value)).name);
      };
      expect(await namesFor(['shop'])).toEqual(['s1', 's2', 's3']);
      expect(await namesFor(['game'])).toEqual(['g1', 'g2']);
      expect(await namesFor('all')).toHaveLength(6);
    });

    it('are replayed with their application, and no others are', async () => {
      await create('shop');
      await stepAll();
      expect(await namesIn(test)).toEqual(['s1', 's2', 's3']);
      const own = await test.log.listEvents({ within: ['shop'], topics: ['orders'] });
      expect(own.records).toHaveLength(3);
      await create('game', { withUnnamed: true });
      await stepAll();
      expect(await namesIn(test)).toEqual(['s1', 's2', 's3', 'g1', 'g2', 'none']);
    });

    it('without an application are those of the one that their topic is mapped to', async () => {
      const topicRules = parseTopicRules(['orders=game']);
      const log = new PostgresLog({ db: test.db, topicRules });
      replays = new DeadLetterReplays({ db: test.db, log });
      await create('game');
      await stepAll();
      expect(await namesIn(test)).toEqual(['g1', 'g2', 'none']);
      await expect(create('shop')).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
      await log.close();
    });

    it('have replays that other applications do not find', async () => {
      const { id } = await create('shop');
      const other = { id, within: ['game'] };
      const refused = [replays.get(other), replays.cancel(other)];
      for (const each of refused) {
        await expect(each).rejects.toMatchObject({
          code: 'REPLAY_NOT_FOUND',
          message: `there is no replay ${id}`,
        });
      }
      const within = ['game'];
      expect(await replays.list({ within, limit: 10 })).toEqual([]);
      expect(await replays.list({ within, limit: 10, before: newId() })).toEqual([]);
      expect(await replays.get({ id, within: ['shop'] })).toMatchObject({ state: 'running' });
      expect(await replays.list({ within: ['shop'], limit: 10 })).toMatchObject([{ id }]);
      expect(await replays.cancel({ id, within: ['shop'] })).toMatchObject({ state: 'cancelled' });
    });

    it('have at most so many running replays, each application its own', async () => {
      await create('shop', { ratePerSecond: 1 });
      const second = await create('shop', { ratePerSecond: 1 });
      await expect(create('shop')).rejects.toMatchObject({ code: 'REPLAY_LIMIT_REACHED' });
      await create('game');
      await replays.cancel({ id: second.id, within: ['shop'] });
      await create('shop');
    });

    it('take turns', async () => {
      await create('shop', { ratePerSecond: 1, again: true });
      await create('shop', { ratePerSecond: 1, again: true });
      await create('game', { ratePerSecond: 1, again: true });
      await replays.step();
      await replays.step();
      // Each application has made a step before one of them makes a second.
      expect((await namesIn(test)).toSorted()).toEqual(['g1', 's1']);
    });

    it('are not found by processes of the version before, whose replays are of all', async () => {
      await create('shop', { ratePerSecond: 1 });
      expect((await test.db.query(oldDue)).rows).toEqual([]);
      const old = newId();
      await test.db.query(
        `insert into event_log.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again)
         values ($1, 'orders', '{}', 10000, false, false)`,
        [old],
      );
      expect((await test.db.query(oldDue)).rows).toMatchObject([{ id: old }]);
      const { rows } = await test.db.query('select application from event_log.dead_letter_replay');
      expect(rows).toHaveLength(2);
      await stepAll();
      expect(await replays.get({ id: old, within: 'all' })).toMatchObject({
        application: null,
        state: 'done',
        matched: 6,
      });
      await expect(replays.get({ id: old, within: ['shop'] })).rejects.toMatchObject({
        code: 'REPLAY_NOT_FOUND',
      });
    });
  });
});

describeWithPostgres('the migration of the event log to applications', () => {
  it('keeps claims and replays, and lets publishers go on while it waits', async () => {
    const { url, drop } = await createTestDatabase();
    const db = await openPostgres({ url, maxConnections: 6 });
    onTestFinished(async () => {
      await db.close();
      await drop();
    });
    const [first] = eventLogMigrations.migrations;
    if (!first) throw new Error('there is no migration');
    await migrate(db, [eventstreamMigrations, { ...eventLogMigrations, migrations: [first] }]);
    const claim = (key: string) =>
      db.query(
        `insert into event_log.event_claim (kind, topic, claim, event_id)
         values ('key', 'orders', $1, 'e') on conflict do nothing`,
        [key],
      );
    await claim('before');
    const reading = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    const reader = db.transaction(async (tx) => {
      await tx.query('select from event_log.event_claim');
      reading.resolve();
      await read.promise;
    });
    await reading.promise;
    const migration = migrate(db, [eventstreamMigrations, eventLogMigrations]);
    for (let i = 0; i < 5; i += 1) await claim(`while${i}`);
    read.resolve();
    await reader;
    expect(await migration).toEqual([{ owner: 'event-log', version: 2, name: 'applications' }]);
    await claim('after');
    const { rows } = await db.query('select distinct application from event_log.event_claim');
    expect(rows).toEqual([{ application: '' }]);
  });
});
