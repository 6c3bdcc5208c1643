import type { ErasingProgress, ErasureSelection } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appendDeadLetters, type Engine, openTestEventLog } from '../../../test/open-event-log.js';
import { append, recordOf, type TestLog, valuesOf } from '../../../test/open-log.js';
import { eraseRecords, type RecordErasingOptions } from './erase-records.js';
import { removeClaims, removeReplays } from './remove-claims.js';

describe.each<Engine>(['postgres', 'embedded'])('erasing of records on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a log', () => {
    let test: TestLog;
    let topic = '';
    let topics = 0;

    /** Erases, and returns the numbers of records that were scanned and erased. */
    const eraseAndCount = async (
      selection: Partial<ErasureSelection>,
      options: RecordErasingOptions = {},
    ): Promise<Pick<ErasingProgress, 'scanned' | 'erased'>> => {
      const whole: ErasureSelection = { applications: 'all', undelivered: 'cancel', ...selection };
      let position: string | undefined;
      let erased = 0;
      let scanned = 0;
      for (let n = 0; n < 1_000; n += 1) {
        const from: string | undefined = position;
        const progress: ErasingProgress = await test.db.transaction((tx) =>
          eraseRecords(tx, whole, { ...options, position: from, limit: 3 }),
        );
        erased += progress.erased;
        scanned += progress.scanned;
        position = progress.position;
        if (progress.done) return { scanned, erased };
      }
      throw new Error('erasing does not end');
    };

    const erase = async (
      selection: Partial<ErasureSelection>,
      options?: RecordErasingOptions,
    ): Promise<number> => (await eraseAndCount(selection, options)).erased;

    /** Appends a record of an application, or of none. */
    const put = async (application: string | null, value: unknown, key = 'k'): Promise<void> => {
      await append(test, recordOf(JSON.stringify(value), key, topic));
      await test.db.query(
        `update eventstream.record set application = $2 where ("offset", shard_id) in (
           select max(r."offset"), r.shard_id from eventstream.record r
           join eventstream.shard s on s.id = r.shard_id
           join eventstream.topic t on t.id = s.topic_id where t.name = $1 group by r.shard_id)`,
        [topic, application],
      );
    };

    const left = async (name = topic): Promise<string[]> =>
      valuesOf(
        (await test.log.listEvents({ topics: [name], limit: 1_000, within: 'all' })).records,
      );

    beforeAll(async () => {
      test = await openTestEventLog(engine);
    });
    beforeEach(async () => {
      topics += 1;
      topic = `topic-${topics}`;
      await test.db.query('delete from eventstream.record');
    });
    afterAll(() => test.close());

    it('deletes those of one application, and consumers go on behind the gaps', async () => {
      for (let n = 0; n < 8; n += 1) await put(n % 2 === 0 ? 'gone' : 'stays', n);
      const batch = () =>
        test.db.transaction((tx) =>
          test.log.readGroupBatch(tx, {
            topics: [topic],
            groupId: 'g',
            startOffset: -2n,
            limit: 3,
          }),
        );
      const first = valuesOf((await batch()).records);
      expect(await erase({ applications: ['gone'] })).toBe(4);
      expect(await left()).toEqual(['1', '3', '5', '7']);
      await put('stays', 8);
      const rest: string[] = [];
      for (let n = 0; n < 5; n += 1) rest.push(...valuesOf((await batch()).records));
      expect([...first, ...rest]).toEqual(['0', '1', '2', '3', '5', '7', '8']);
      expect(await erase({ applications: ['gone'] })).toBe(0);
    });

    it('deletes by key and by an identifier in the value', async () => {
      await put('a', { payload: { id: 7 } }, 'x');
      await put('b', { payload: { id: 7 } }, 'x');
      await put('a', { payload: { id: 8 } }, 'x');
      await put('a', { payload: { id: 7 } }, 'y');
      const identifier = { pointer: '/id', value: 7 };
      expect(await erase({ applications: ['a'], key: 'x', identifier })).toBe(1);
      expect(await left()).toHaveLength(3);
      expect(await erase({ identifier })).toBe(2);
      expect(await left()).toEqual(['{"payload":{"id":8}}']);
    });

    it('counts no records of other applications', async () => {
      for (const application of ['a', 'b', 'b', 'c', null]) await put(application, 1);
      const key = 'none';
      expect(await eraseAndCount({ applications: ['a'], key })).toEqual({ scanned: 1, erased: 0 });
      expect((await eraseAndCount({ applications: ['a', 'c'], key })).scanned).toBe(2);
      const options = { ownerOf: () => 'a' };
      expect((await eraseAndCount({ applications: ['a'], key }, options)).scanned).toBe(2);
      expect((await eraseAndCount({ key })).scanned).toBe(5);
    });

    it('takes records without an application only with all, or with the owner of their topic', async () => {
      await put(null, 1);
      expect(await erase({ applications: ['', 'a'] })).toBe(0);
      expect(await erase({ applications: ['b'] }, { ownerOf: () => 'a' })).toBe(0);
      expect(
        await erase({ applications: ['a'] }, { ownerOf: (name) => (name === topic ? 'a' : 'x') }),
      ).toBe(1);
      await put(null, 2);
      expect(await erase({})).toBe(1);
    });

    it('deletes dead letters with the note that they were replayed, and no audit records', async () => {
      await appendDeadLetters(test, { name: 'a', topic });
      await append(test, recordOf('{}', 'k', 'audit'));
      await test.db.query(
        `insert into event_log.replayed_dead_letter (topic, partition, "offset") values ($1, 0, 0)`,
        [`${topic}.dlq`],
      );
      expect(await erase({})).toBe(1);
      expect(await left(`${topic}.dlq`)).toEqual([]);
      expect(await left('audit')).toHaveLength(1);
      expect((await test.db.query('select from event_log.replayed_dead_letter')).rowCount).toBe(0);
      expect(await erase({ endpointId: 'any' })).toBe(0);
    });

    it('lets autovacuum remove the bytes', async () => {
      await put('a', 1);
      await erase({});
      const { rows } = await test.db.query<{ reloptions: string[] }>(
        `select reloptions from pg_class where oid = 'eventstream.record_1'::regclass`,
      );
      expect(rows[0]?.reloptions).toContain('autovacuum_enabled=true');
    });

    it('removes claims and replays of one application, in steps', async () => {
      for (const application of ['gone', 'stays']) {
        await test.db.query(
          `insert into event_log.event_claim (kind, topic, claim, event_id, application)
           select 'id', 't', $1 || i, '', $1 from generate_series(1, 25) i`,
          [application],
        );
        await test.db.query(
          `insert into event_log.dead_letter_replay (id, topic, filter, rate_per_second, dry_run, again, application)
           values (gen_random_uuid(), 't', '{}', 1, true, true, $1)`,
          [application],
        );
      }
      let position: string | undefined;
      let erased = 0;
      for (let done = false; !done; ) {
        const from: string | undefined = position;
        const progress = await test.db.transaction((tx) =>
          removeClaims(tx, 'gone', { position: from, limit: 1 }),
        );
        ({ position, done } = progress);
        erased += progress.erased;
      }
      expect(erased).toBe(25);
      const replays = await test.db.transaction((tx) =>
        removeReplays(tx, 'gone', { position: undefined, limit: 5 }),
      );
      expect(replays).toMatchObject({ erased: 1, done: true });
      for (const table of ['event_claim', 'dead_letter_replay']) {
        const { rows } = await test.db.query(`select distinct application from event_log.${table}`);
        expect(rows).toEqual([{ application: 'stays' }]);
      }
    });
  });
});
