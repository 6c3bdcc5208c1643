import type { Database } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { append, openTestLog, recordOf, type TestLog, valuesOf } from '../../../test/open-log.js';
import { offsetBeginning } from '../../driver.js';
import type { GroupBatch } from './group/group-batch.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Makes all segments older. */
async function age(db: Database, ms: number): Promise<void> {
  const update = `update eventstream.segment set started_at = started_at - $1 * interval '1 ms'`;
  await db.query(update, [ms]);
}

async function partitionsOf(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = 'eventstream.record'::regclass order by inhrelid`,
  );
  return rows.map(({ name }) => name.replace('eventstream.record_', ''));
}

function read({ db, log }: TestLog, groupId = 'mail', limit = 100): Promise<GroupBatch> {
  const request = { topics: ['orders'], groupId, limit, startOffset: offsetBeginning };
  return db.transaction((tx) => log.readGroupBatch(tx, request));
}

describe.each(['postgres', 'embedded'] as const)('partitions by time on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('the log', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine);
    });
    afterEach(() => test.close());

    it('starts a new one when the newest has lasted long enough', async () => {
      expect(await test.log.maintain()).toEqual({ started: false, dropped: [], busy: false });
      await age(test.db, dayMs);
      expect(await test.log.maintain()).toEqual({ started: true, dropped: [], busy: false });
      expect(await partitionsOf(test.db)).toEqual(['1', '2']);
      expect(await test.log.maintain({ segmentMs: hourMs })).toMatchObject({ started: false });
      await age(test.db, hourMs);
      expect(await test.log.maintain({ segmentMs: hourMs })).toMatchObject({ started: true });
      expect(await partitionsOf(test.db)).toEqual(['1', '2', '3']);
    });

    it('is read across partitions in one order', async () => {
      const expected: string[] = [];
      for (let i = 0; i < 4; i++) {
        await append(test, recordOf(`${i} a`, 'a'), recordOf(`${i} b`, 'b'));
        expected.push(`${i} a`, `${i} b`);
        await age(test.db, dayMs);
        await test.log.maintain();
      }
      expect(valuesOf((await read(test)).records)).toEqual(expected);
      const seen: string[] = [];
      for (let i = 0; i < 3; i++) seen.push(...valuesOf((await read(test, 'small', 3)).records));
      expect(seen).toEqual(expected);
      const { records } = await test.log.listEvents({ within: 'all', topics: ['orders'] });
      expect(valuesOf(records)).toEqual(expected);
    });

    it('drops partitions whose youngest record is past retention, and only those', async () => {
      await append(test, recordOf('one', 'k'));
      await age(test.db, dayMs);
      await test.log.maintain();
      await append(test, recordOf('two', 'k'));
      await age(test.db, 6 * dayMs);
      await test.log.maintain();
      expect(await partitionsOf(test.db)).toEqual(['1', '2', '3']);
      await age(test.db, dayMs);
      expect(await test.log.maintain({ segmentMs: 10 * dayMs })).toMatchObject({ dropped: [1] });
      expect(await partitionsOf(test.db)).toEqual(['2', '3']);
      const { records } = await test.log.listEvents({ within: 'all', topics: ['orders'] });
      expect(valuesOf(records)).toEqual(['two']);
    });

    it('lets a reader behind a dropped partition continue at the first remaining record, and reports it', async () => {
      await append(test, recordOf('one', 'k'), recordOf('two', 'k'), recordOf('three', 'k'));
      expect(valuesOf((await read(test, 'mail', 1)).records)).toEqual(['one']);
      await age(test.db, dayMs);
      await test.log.maintain();
      await append(test, recordOf('four', 'k'));
      await age(test.db, 8 * dayMs);
      expect(await test.log.maintain({ segmentMs: 99 * dayMs })).toMatchObject({ dropped: [1] });
      const range = { topic: 'orders', partition: 0, groupId: 'mail', from: 1n, to: 3n };
      const { records, skipped } = await read(test);
      expect(valuesOf(records)).toEqual(['four']);
      expect(skipped).toEqual([range]);
      expect((await read(test)).skipped).toEqual([]);
      expect((await read(test, 'new group')).skipped).toEqual([]);
    });

    it('knows the end of a shard without remaining records', async () => {
      await append(test, recordOf('one', 'k'), recordOf('two', 'k'));
      await test.log.ensureGroup({ topic: 'orders', groupId: 'mail' }, offsetBeginning);
      await age(test.db, dayMs);
      await test.log.maintain();
      await age(test.db, 8 * dayMs);
      await test.log.maintain({ segmentMs: 99 * dayMs });
      expect(await read(test)).toMatchObject({ records: [], skipped: [{ from: 0n, to: 2n }] });
      await append(test, recordOf('three', 'k'));
      expect((await read(test)).records).toMatchObject([{ offset: 2n }]);
      expect(await read(test, 'new group')).toMatchObject({ records: [{ offset: 2n }] });
    });

    it('refuses invalid times', async () => {
      for (const options of [{ segmentMs: 0 }, { retentionMs: -1 }, { segmentMs: Number.NaN }]) {
        await expect(test.log.maintain(options)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
      }
    });
  });
});

describeWithPostgres('maintenance while records are read and appended', () => {
  let test: TestLog;
  beforeEach(async () => {
    test = await openTestLog('postgres');
    await append(test, recordOf('zero', 'k'));
  });
  afterEach(() => test.close());

  it('starts and drops each partition once when several processes run it', async () => {
    await age(test.db, dayMs);
    const begun = await Promise.all([1, 2, 3, 4].map(() => test.log.maintain()));
    expect(begun.filter(({ started }) => started)).toHaveLength(1);
    await age(test.db, 8 * dayMs);
    const segmentMs = 99 * dayMs;
    const dropped = await Promise.all([1, 2, 3, 4].map(() => test.log.maintain({ segmentMs })));
    expect(dropped.flatMap((outcome) => outcome.dropped)).toEqual([1]);
  });

  it('waits only shortly for locks, so that others do not wait long behind it', async () => {
    await age(test.db, dayMs);
    await test.log.maintain();
    await age(test.db, 8 * dayMs);
    await test.db.transaction(async (tx) => {
      await tx.query('select count(*) from eventstream.record');
      const segmentMs = 99 * dayMs;
      expect(await test.log.maintain({ segmentMs })).toMatchObject({ dropped: [], busy: true });
      await append(test, recordOf('one', 'k'));
    });
    expect(await test.log.maintain({ segmentMs: 99 * dayMs })).toMatchObject({ dropped: [1] });
  });

  it('loses no record of an appender whose transaction spans several partitions', async () => {
    await read(test);
    await test.db.transaction(async (slow) => {
      await test.log.append(slow, [recordOf('slow', 'a')]);
      for (let i = 0; i < 3; i++) {
        await age(test.db, dayMs);
        await test.log.maintain();
        await append(test, recordOf(`fast ${i}`, 'b'));
        await test.log.append(slow, [recordOf(`slow ${i}`, 'a')]);
      }
      expect((await read(test)).records).toEqual([]);
    });
    const pairs = [0, 1, 2].flatMap((i) => [`fast ${i}`, `slow ${i}`]);
    expect(valuesOf((await read(test)).records)).toEqual(['slow', ...pairs]);
  });

  it('lets a transaction that reads twice see records in a new partition', async () => {
    const request = { topics: ['orders'], groupId: 'mail', limit: 100, startOffset: 0n };
    await test.db.transaction(async (tx) => {
      const values: string[] = [];
      for (let i = 0; i < 3; i++) {
        values.push(...valuesOf((await test.log.readGroupBatch(tx, request)).records));
        await age(test.db, dayMs);
        await test.log.maintain();
        await append(test, recordOf(`${i}`, 'k'));
      }
      expect(values).toEqual(['zero', '0', '1']);
    });
    expect(valuesOf((await read(test)).records)).toEqual(['2']);
  });

  it('does not move past an offset that an appender is about to write', async () => {
    await read(test);
    await test.db.transaction(async (slow) => {
      await test.log.append(slow, [recordOf('slow', 'a')]);
      await age(test.db, dayMs);
      await test.log.maintain();
      await age(test.db, 8 * dayMs);
      expect(await test.log.maintain({ segmentMs: 99 * dayMs })).toMatchObject({ busy: true });
    });
    expect(valuesOf((await read(test)).records)).toEqual(['slow']);
  });

  it('completes the work of a process that died in between', async () => {
    await age(test.db, dayMs);
    await test.log.maintain();
    await test.db.query('delete from eventstream.segment where id = 2');
    await append(test, recordOf('in the first', 'k'));
    expect(await test.log.maintain()).toMatchObject({ started: true });
    await test.db.query('delete from eventstream.segment_start where segment = 2');
    await append(test, recordOf('one', 'k'));
    await test.log.maintain();
    const { rows } = await test.db.query<{ first_offset: bigint }>(
      'select first_offset from eventstream.segment_start where segment = 2',
    );
    expect(rows).toEqual([{ first_offset: 3n }]);
    expect(valuesOf((await read(test)).records)).toEqual(['zero', 'in the first', 'one']);
  });

  it('does not disturb appenders and readers', async () => {
    let open = true;
    const values: number[] = [];
    const appender = (async () => {
      for (let n = 0; open; n++) await append(test, recordOf(`${n}`, 'k'));
    })();
    const reader = (async () => {
      for (let last = 1; open || last > 0; ) {
        const { records } = await read(test, 'group', 20);
        values.push(...valuesOf(records.filter(({ offset }) => offset > 0n)).map(Number));
        last = records.length;
      }
    })();
    for (let i = 0; i < 8; i++) {
      await age(test.db, dayMs);
      await test.log.maintain({ retentionMs: 99 * dayMs });
    }
    open = false;
    await appender;
    await reader;
    expect(values.length).toBeGreaterThan(0);
    expect(values).toEqual(values.map((_, n) => n));
    expect((await partitionsOf(test.db)).length).toBeGreaterThan(4);
  });
});
