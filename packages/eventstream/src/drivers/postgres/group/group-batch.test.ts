import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  openTestLog,
  recordOf,
  type TestLog,
  valuesOf,
} from '../../../../test/open-log.js';
import { offsetBeginning } from '../../../driver.js';
import type { StoredRecord } from '../../../record.js';
import type { GroupBatchRequest } from './group-batch.js';

const orders = { topics: ['orders'], groupId: 'mail', limit: 10 };
const fromStart = { ...orders, startOffset: offsetBeginning };

function readBatch(
  { db, log }: TestLog,
  request: GroupBatchRequest = fromStart,
): Promise<readonly StoredRecord[]> {
  return db.transaction(async (tx) => (await log.readGroupBatch(tx, request)).records);
}

describe.each(['postgres', 'embedded'] as const)('consuming in a transaction on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a group', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine, { partitions: 4 });
    });
    afterEach(() => test.close());

    it('gets every record once, whatever its partition', async () => {
      const keys = Array.from({ length: 25 }, (_, i) => `key ${i}`);
      await append(test, ...keys.map((key) => recordOf(key, key)));
      const batches: string[][] = [];
      for (let i = 0; i < 4; i++) batches.push(valuesOf(await readBatch(test)));
      expect(batches.map(({ length }) => length)).toEqual([10, 10, 5, 0]);
      expect(batches.flat().toSorted()).toEqual(keys.toSorted());
    });

    it('gets a rolled back batch again', async () => {
      await append(test, recordOf('one'));
      const failing = test.db.transaction(async (tx) => {
        expect((await test.log.readGroupBatch(tx, fromStart)).records).toHaveLength(1);
        throw new Error('rolled back by the test');
      });
      await expect(failing).rejects.toThrow('by the test');
      expect(valuesOf(await readBatch(test))).toEqual(['one']);
      expect(await readBatch(test)).toEqual([]);
    });

    it('is independent of other groups', async () => {
      await append(test, recordOf('one'));
      expect(await readBatch(test)).toHaveLength(1);
      expect(await readBatch(test, { ...fromStart, groupId: 'other' })).toHaveLength(1);
    });

    it('begins at the end by default, and remembers where that was', async () => {
      await append(test, recordOf('before', 'k'));
      expect(await readBatch(test, orders)).toEqual([]);
      await append(test, recordOf('after', 'k'), recordOf('later', 'k'));
      expect(valuesOf(await readBatch(test, orders))).toEqual(['after', 'later']);
      const third = { ...orders, groupId: 'third', startOffset: 2n };
      expect(valuesOf(await readBatch(test, third))).toEqual(['later']);
    });

    it('reads several topics, and creates missing ones', async () => {
      await append(test, recordOf('a'), recordOf('b', 'k', 'other'));
      const request = { ...fromStart, topics: ['orders', 'other', 'new'] };
      expect(valuesOf(await readBatch(test, request)).toSorted()).toEqual(['a', 'b']);
      expect(await test.log.listTopics('all')).toEqual(['new', 'orders', 'other']);
    });

    it('reads very many topics in several batches', async () => {
      const topics = Array.from({ length: 120 }, (_, n) => `topic-${n}`);
      await append(test, ...topics.map((topic) => recordOf(topic, 'k', topic)));
      const request = { ...fromStart, topics: 'all', limit: 1_000 } as const;
      const batches: string[][] = [];
      for (let more = true; more; ) {
        const batch = await test.db.transaction((tx) => test.log.readGroupBatch(tx, request));
        batches.push(valuesOf(batch.records));
        more = batch.more;
      }
      expect(batches.map(({ length }) => length)).toEqual([100, 20]);
      expect(batches.flat().toSorted()).toEqual(topics.toSorted());
    });

    it('ends a batch with the record that exceeds its size', async () => {
      const large = ['a', 'b', 'c'].map((letter) => recordOf(letter.repeat(600), 'k'));
      await append(test, ...large);
      const request = { ...fromStart, maxBytes: 1_000 };
      expect((await readBatch(test, request)).map(({ offset }) => offset)).toEqual([0n, 1n]);
      expect((await readBatch(test, request)).map(({ offset }) => offset)).toEqual([2n]);
    });

    it('gets records of its own transaction once that is committed', async () => {
      await append(test, recordOf('one', 'k'));
      await test.db.transaction(async (tx) => {
        await test.log.append(tx, [recordOf('two', 'k')]);
        expect(valuesOf((await test.log.readGroupBatch(tx, fromStart)).records)).toEqual(['one']);
      });
      expect(valuesOf(await readBatch(test))).toEqual(['two']);
    });

    it('shows its lag by partition', async () => {
      await append(test, recordOf('one', 'k'), recordOf('two', 'k'), recordOf('three', 'k'));
      await readBatch(test, { ...fromStart, limit: 2 });
      await readBatch(test, { ...orders, groupId: 'other' });
      const lagOf = async (groupId?: string): Promise<Record<string, bigint>> =>
        Object.fromEntries(
          (await test.log.lag('orders', groupId)).map(({ groupId: id, partitions }) => [
            id,
            partitions.reduce((sum, { lag }) => sum + lag, 0n),
          ]),
        );
      expect(await lagOf()).toEqual({ mail: 1n, other: 0n });
      const [group] = await test.log.lag('orders', 'mail');
      expect(group?.partitions).toContainEqual(
        expect.objectContaining({ committed: 2n, end: 3n, lag: 1n }),
      );
      expect(group?.partitions).toHaveLength(4);
      expect(await test.log.lag('unknown')).toEqual([]);
      // An appender that was rolled back has drawn an offset, which has no record.
      await readBatch(test);
      const failing = test.db.transaction(async (tx) => {
        await test.log.append(tx, [recordOf('gone', 'k')]);
        throw new Error('rolled back by the test');
      });
      await expect(failing).rejects.toThrow('by the test');
      expect(await lagOf('mail')).toEqual({ mail: 0n });
    });

    it('continues at the offset that was set, and can be deleted', async () => {
      await append(test, recordOf('one', 'k'), recordOf('two', 'k'));
      const [first] = await readBatch(test);
      const group = { topic: 'orders', groupId: 'mail' };
      await test.log.seek(group, new Map([[first?.partition ?? 0, 1n]]));
      expect(valuesOf(await readBatch(test))).toEqual(['two']);
      await expect(
        test.log.seek({ ...group, groupId: 'unknown' }, new Map()),
      ).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      await expect(test.log.seek(group, new Map([[9, 0n]]))).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
      await test.log.deleteGroup(group);
      expect(valuesOf(await readBatch(test))).toEqual(['one', 'two']);
    });

    it('refuses a batch without records', async () => {
      await expect(readBatch(test, { ...orders, limit: 0 })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      });
    });
  });
});

describeWithPostgres('several processes of a group', () => {
  let test: TestLog;
  beforeEach(async () => {
    test = await openTestLog('postgres', { partitions: 4 });
  });
  afterEach(() => test.close());

  it('get different partitions, and do not wait for each other', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);
    await append(test, ...keys.map((key) => recordOf(key, key)));
    await test.log.ensureGroup({ topic: 'orders', groupId: 'mail' }, offsetBeginning);
    await test.db.transaction(async (first) => {
      const one = await test.log.readGroupBatch(first, { ...orders, limit: 3 });
      await test.db.transaction(async (second) => {
        const two = await test.log.readGroupBatch(second, { ...orders, limit: 100 });
        const partitionsOf = (records: readonly StoredRecord[]): number[] => [
          ...new Set(records.map(({ partition }) => partition)),
        ];
        expect(partitionsOf(one.records)).toHaveLength(1);
        expect(partitionsOf(two.records)).toHaveLength(3);
        expect(partitionsOf(two.records)).not.toContain(one.records[0]?.partition);
        await test.db.transaction(async (third) => {
          expect((await test.log.readGroupBatch(third, orders)).records).toEqual([]);
        });
      });
    });
  });

  it('get each record once and in the order of its key, although some fail', async () => {
    const perKey = 50;
    const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`);
    await test.log.ensureGroup({ topic: 'orders', groupId: 'mail' }, offsetBeginning);
    await test.db.query('create table handled (n serial, key text, value int)');
    let open = true;
    let turn = 0;
    const consume = async (): Promise<void> => {
      // The last transaction begins after everything was appended, and finds nothing.
      for (let isOver = false; !isOver; ) {
        const wasOpen = open;
        const work = test.db.transaction(async (tx) => {
          const { records } = await test.log.readGroupBatch(tx, { ...orders, limit: 7 });
          for (const { key, value } of records) {
            const insert = 'insert into handled (key, value) values ($1, $2)';
            await tx.query(insert, [String(key), Number(value)]);
          }
          turn += 1;
          if (records.length > 0 && turn % 5 === 0) throw new Error('rolled back by the test');
          return records.length;
        });
        isOver = (await work.catch(() => 1)) === 0 && !wasOpen;
      }
    };
    const consumers = [consume(), consume(), consume()];
    for (let n = 0; n < perKey; n++) {
      await append(test, ...keys.map((key) => recordOf(`${n}`, key)));
    }
    open = false;
    await Promise.all(consumers);
    const { rows } = await test.db.query<{ key: string; values: number[] }>(
      'select key, array_agg(value order by n) as values from handled group by key',
    );
    expect(rows).toHaveLength(keys.length);
    const all = Array.from({ length: perKey }, (_, n) => n);
    for (const { values } of rows) expect(values).toEqual(all);
  });

  it('create topic and group once when they begin together', async () => {
    const many = { ...fromStart, topics: ['orders', 'other'] };
    await Promise.all(Array.from({ length: 6 }, () => readBatch(test, many)));
    await append(test, recordOf('one'));
    const all = await Promise.all(Array.from({ length: 6 }, () => readBatch(test, many)));
    expect(valuesOf(all.flat())).toEqual(['one']);
    expect(await test.log.lag('orders')).toHaveLength(1);
  });

  it('go on when one dies with its transaction', async () => {
    await append(test, recordOf('one'));
    const dying = test.db.transaction(async (tx) => {
      await test.log.readGroupBatch(tx, fromStart);
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await test.db.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await tx.query('select pg_sleep(1)');
    });
    await expect(dying).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(valuesOf(await readBatch(test))).toEqual(['one']);
  });

  it('go on when an appender dies in its transaction', async () => {
    await append(test, recordOf('zero', 'k'));
    const dying = test.db.transaction(async (tx) => {
      await test.log.append(tx, [recordOf('gone', 'k')]);
      await append(test, recordOf('one', 'other'), recordOf('two', 'k2'));
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
      await test.db.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await tx.query('select pg_sleep(1)');
    });
    await expect(dying).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(valuesOf(await readBatch(test)).toSorted()).toEqual(['one', 'two', 'zero']);
  });
});
