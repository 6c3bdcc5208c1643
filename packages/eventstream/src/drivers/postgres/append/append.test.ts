import type { Transaction } from '@posthaste/postgres';
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
import type { AppendOptions, LogRecord } from './append.js';

const query = { within: 'all', topics: ['orders'] } as const;

async function allValues({ log }: TestLog): Promise<string[]> {
  const { records } = await log.listEvents({ ...query, limit: 1_000 });
  return valuesOf(records);
}

/** A transaction that stays open until the test ends it. */
interface OpenTransaction {
  readonly tx: Transaction;
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

async function begin({ db }: TestLog): Promise<OpenTransaction> {
  const begun = Promise.withResolvers<Transaction>();
  const end = Promise.withResolvers<void>();
  const done = db.transaction(async (tx) => {
    begun.resolve(tx);
    await end.promise;
  });
  const outcome = done.catch(() => undefined);
  return {
    tx: await begun.promise,
    commit: () => {
      end.resolve();
      return done;
    },
    rollBack: async () => {
      end.reject(new Error('rolled back by the test'));
      await outcome;
    },
  };
}

describe.each(['postgres', 'embedded'] as const)('appending on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a transaction', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine);
    });
    afterEach(() => test.close());

    it('gives every record an offset, and keeps all of its parts', async () => {
      const headers = { ce_type: 'order.created', ce_note: 'a "quoted" \u0000 one', empty: '' };
      const records: LogRecord[] = [
        { topic: 'orders', key: Buffer.from('k'), value: Buffer.from([0, 255, 10]), headers },
        { topic: 'orders', key: null, value: null, headers: {} },
        { topic: 'orders', key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { '': 'é' } },
      ];
      const before = Date.now();
      const places = await test.db.transaction((tx) => test.log.append(tx, records));
      expect(places.map(({ offset }) => offset)).toEqual([0n, 1n, 2n]);
      const { records: stored } = await test.log.listEvents(query);
      expect(stored.map(({ timestampMs: _, ...record }) => record)).toEqual(
        records.map((record, offset) => ({ ...record, partition: 0, offset: BigInt(offset) })),
      );
      for (const { timestampMs } of stored) {
        expect(timestampMs).toBeGreaterThanOrEqual(before - 1);
        expect(timestampMs).toBeLessThanOrEqual(Date.now() + 1);
      }
    });

    it('appends to several topics with one statement, each key to its partition', async () => {
      await test.log.ensureTopic('wide', 8);
      const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
      const wide = keys.flatMap((key) => [1, 2].map((n) => recordOf(`${key}: ${n}`, key, 'wide')));
      const places = await test.db.transaction((tx) =>
        test.log.append(tx, [...wide, recordOf('one')]),
      );
      const partitions = places.map(({ partition }) => partition);
      expect(new Set(partitions.slice(0, 100)).size).toBe(8);
      for (let i = 0; i < 100; i += 2) expect(partitions[i]).toBe(partitions[i + 1]);
      expect(places.at(-1)).toEqual({ topic: 'orders', partition: 0, offset: 0n });
    });

    it('leaves nothing when it is rolled back, not even the topic that it created', async () => {
      const failing = test.db.transaction(async (tx) => {
        await test.log.append(tx, [recordOf('gone')]);
        await test.log.append(tx, [recordOf('gone too')]);
        throw new Error('rolled back by the test');
      });
      await expect(failing).rejects.toThrow('by the test');
      expect(await test.log.listTopics('all')).toEqual([]);
      await append(test, recordOf('kept'));
      expect(await allValues(test)).toEqual(['kept']);
    });

    it('refuses too large records and invalid names', async () => {
      const large = { ...recordOf(''), value: Buffer.alloc(1_048_577) };
      await expect(append(test, recordOf('small'), large)).rejects.toMatchObject({
        code: 'EVENT_TOO_LARGE',
      });
      await expect(append(test, recordOf('x', 'k', ''))).rejects.toMatchObject({
        code: 'EVENT_INVALID',
        details: { field: 'topic' },
      });
      await append(test);
      expect(await test.log.listTopics('all')).toEqual([]);
    });

    it('needs a read committed transaction', async () => {
      const strict = test.db.transaction(async (tx) => {
        await tx.query('set transaction isolation level repeatable read');
        await test.log.append(tx, [recordOf('x')]);
      });
      await expect(strict).rejects.toThrow('read committed');
    });
  });
});

describeWithPostgres('appenders that overlap', () => {
  let test: TestLog;
  let first: OpenTransaction;
  let second: OpenTransaction;
  const put = ({ tx }: OpenTransaction, record: LogRecord, options?: AppendOptions) =>
    test.log.append(tx, [record], options);
  beforeEach(async () => {
    test = await openTestLog('postgres');
    await append(test, recordOf('zero'));
    first = await begin(test);
    second = await begin(test);
  });
  afterEach(() => test.close());

  it('are read in order, and a reader waits for the one that commits late', async () => {
    await put(first, recordOf('early', 'a'));
    await put(second, recordOf('late', 'b'));
    await second.commit();
    expect(await allValues(test)).toEqual(['zero']);
    await first.commit();
    expect(await allValues(test)).toEqual(['zero', 'early', 'late']);
  });

  it('never show a consumer of the group a record out of order', async () => {
    const read = (): Promise<string[]> =>
      test.db.transaction(async (tx) => {
        const batch = { ...query, groupId: 'g', limit: 10, startOffset: offsetBeginning };
        return valuesOf((await test.log.readGroupBatch(tx, batch)).records);
      });
    await put(first, recordOf('early', 'a'));
    await put(second, recordOf('late', 'b'));
    await second.commit();
    expect(await read()).toEqual(['zero']);
    expect(await read()).toEqual([]);
    await append(test, recordOf('later still'));
    expect(await read()).toEqual([]);
    await first.commit();
    expect(await read()).toEqual(['early', 'late', 'later still']);
  });

  it('leave a gap that readers pass when one is rolled back', async () => {
    await put(first, recordOf('gone', 'a'));
    await put(second, recordOf('late', 'b'));
    await second.commit();
    await first.rollBack();
    expect(await allValues(test)).toEqual(['zero', 'late']);
  });

  it('do not wait for each other, nor hold up other partitions', async () => {
    await put(first, recordOf('slow', 'a'));
    await append(test, recordOf('other topic', 'a', 'other'));
    const { records } = await test.log.listEvents({ within: 'all', topics: ['other'] });
    expect(valuesOf(records)).toEqual(['other topic']);
    await first.commit();
    await second.rollBack();
  });

  it('do not wait for transactions that do not append', async () => {
    await first.tx.query('create table something_else ()');
    await append(test, recordOf('next'));
    expect(await allValues(test)).toEqual(['zero', 'next']);
    await first.rollBack();
    await second.rollBack();
  });

  it('of one key are in the order of their commits, not of their starts', async () => {
    await first.tx.query('select pg_current_xact_id()');
    await put(second, recordOf('committed first', 'a'));
    const waiting = put(first, recordOf('committed second', 'a'));
    await second.commit();
    await waiting;
    await first.commit();
    expect(await allValues(test)).toEqual(['zero', 'committed first', 'committed second']);
  });

  it('of one key do not wait when they ask not to', async () => {
    await put(first, recordOf('appended first', 'a'), { keyOrder: 'append' });
    await put(second, recordOf('appended second', 'a'), { keyOrder: 'append' });
    await second.commit();
    await first.commit();
    expect(await allValues(test)).toEqual(['zero', 'appended first', 'appended second']);
  });

  it('notify readers once per topic when they commit, or not at all', async () => {
    const reported: string[] = [];
    const listener = await test.db.listen('eventstream', (topic) => reported.push(topic));
    await put(first, recordOf('one', 'a'));
    await put(first, recordOf('two', 'b'));
    await test.log.append(first.tx, [recordOf('x', 'k', 'other'), recordOf('three')]);
    await put(second, recordOf('quiet', 'c'), { notify: false });
    await second.commit();
    await first.commit();
    await expect.poll(() => reported.toSorted()).toEqual(['orders', 'other']);
    await listener.close();
  });
});

describeWithPostgres('many appenders at once', () => {
  it('lose, repeat and reorder no record that a reader sees', async () => {
    const test = await openTestLog('postgres');
    await test.log.ensureTopic('orders');
    const appenders = 8;
    const rounds = 60;
    const append20 = async (appender: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const records = [0, 1].map((n) => recordOf(`${round * 2 + n}`, `key ${appender}`));
        const failing = round % 7 === 3;
        const work = test.db.transaction(async (tx) => {
          await test.log.append(tx, records, { keyOrder: round % 2 ? 'append' : 'commit' });
          if (round % 5 === 0) await tx.query('select pg_sleep(0.005)');
          if (failing) throw new Error('rolled back by the test');
        });
        await work.catch((error: Error) => {
          if (!failing) throw error;
        });
      }
    };
    let open = true;
    const seen = new Map<string, number[]>();
    const read = async (): Promise<number> =>
      test.db.transaction(async (tx) => {
        const batch = { ...query, groupId: 'g', limit: 100, startOffset: offsetBeginning };
        const { records } = await test.log.readGroupBatch(tx, batch);
        for (const { key, value } of records) {
          const values = seen.get(String(key)) ?? [];
          seen.set(String(key), values);
          values.push(Number(value));
        }
        return records.length;
      });
    const reader = (async () => {
      while (open) await read();
      // What was committed while the last of those reads was under way.
      while ((await read()) > 0);
    })();
    await Promise.all(Array.from({ length: appenders }, (_, appender) => append20(appender)));
    open = false;
    await reader;
    const kept = Array.from({ length: rounds }, (_, round) => round).filter((r) => r % 7 !== 3);
    const expected = kept.flatMap((round) => [round * 2, round * 2 + 1]);
    expect(seen.size).toBe(appenders);
    for (const values of seen.values()) expect(values).toEqual(expected);
    await test.close();
  });
});
