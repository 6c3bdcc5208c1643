import { createEnvelope } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  append,
  appendMany,
  openTestLog,
  recordOf,
  type TestLog,
} from '../../../../test/open-log.js';
import { offsetBeginning } from '../../../driver.js';
import { decodeEnvelope } from '../../../envelope/decode.js';
import type { GroupBatch, GroupBatchRequest, RecordChoice } from './group-batch.js';

const request = { topics: ['orders'], groupId: 'mail', limit: 10, startOffset: offsetBeginning };

describe.each(['postgres', 'embedded'] as const)('choosing what to consume on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a group', () => {
    let test: TestLog;
    beforeEach(async () => {
      test = await openTestLog(engine, { partitions: 2 });
    });
    afterEach(() => test.close());

    const publish = (names: readonly string[], topic = 'orders'): Promise<unknown> =>
      test.db.transaction((tx) =>
        test.log.appendEvents(
          tx,
          names.map((name, n) => ({
            topic,
            key: `key ${n % 3}`,
            envelope: createEnvelope({ name, namespace: 'shop' }),
          })),
        ),
      );
    const read = (more: Partial<GroupBatchRequest> = {}): Promise<GroupBatch> =>
      test.db.transaction((tx) => test.log.readGroupBatch(tx, { ...request, ...more }));
    const namesOf = ({ records }: GroupBatch): string[] =>
      records.map(({ value }) => decodeEnvelope(value ?? Buffer.alloc(0)).name).sort();
    const lag = async (): Promise<bigint> =>
      (await test.log.lag('orders', 'mail'))
        .flatMap(({ partitions }) => partitions)
        .reduce((sum, partition) => sum + partition.lag, 0n);
    const only =
      (...names: readonly string[]) =>
      async (): Promise<RecordChoice> =>
      (_topic, name) =>
        names.includes(name);

    it('gets records that it chooses by topic and name, and skips the rest', async () => {
      await publish(['a', 'b', 'a', 'c', 'a', 'b']);
      const asked: string[] = [];
      const batch = await read({
        choose: async () => (topic, name) => {
          asked.push(`${topic} ${name}`);
          return name === 'b';
        },
      });
      expect(namesOf(batch)).toEqual(['b', 'b']);
      expect([...new Set(asked)].sort()).toEqual(['orders a', 'orders b', 'orders c']);
      expect(batch.more).toBe(false);
      expect(await lag()).toBe(0n);
    });

    it('gets records without a name whatever it chooses', async () => {
      await append(test, recordOf('no name'));
      expect((await read({ choose: only('a') })).records).toHaveLength(1);
    });

    it('skips everything when it wants nothing', async () => {
      await publish(['a', 'b']);
      await append(test, recordOf('no name'));
      const batch = await read({ choose: async () => 'none' });
      expect(batch).toMatchObject({ records: [], more: false });
      expect(await lag()).toBe(0n);
    });

    it('reports whether there is more, after full batches and after long unwanted ranges', async () => {
      await publish(Array.from({ length: 12 }, () => 'a'));
      expect(await read({ choose: only('a'), limit: 7 })).toMatchObject({ more: true });
      expect(await read({ choose: only('a'), limit: 7 })).toMatchObject({ more: false });
      // More than one batch scans of a partition.
      await appendMany(test.db, 'orders', 25_000);
      await test.db.query(`update eventstream.record set name = 'b' where name is null`);
      let looks = 1;
      while ((await read({ choose: only('a') })).more) looks += 1;
      expect(looks).toBe(3);
      expect(await lag()).toBe(0n);
    });

    it('asks for a choice again after a rollback', async () => {
      await publish(['a']);
      const failing = test.db.transaction(async (tx) => {
        await test.log.readGroupBatch(tx, { ...request, choose: async () => 'none' });
        throw new Error('rolled back by the test');
      });
      await expect(failing).rejects.toThrow('by the test');
      expect(namesOf(await read({ choose: only('a') }))).toEqual(['a']);
    });

    it('reads all topics, new ones from their beginning, but no dead letter or retry topics', async () => {
      const all = { topics: 'all' as const };
      expect((await read(all)).records).toEqual([]);
      await publish(['a']);
      await publish(['b'], 'payments');
      await publish(['c'], 'orders.dlq');
      await publish(['d'], 'orders.mail.retry.1');
      expect(namesOf(await read(all))).toEqual(['a', 'b']);
      await publish(['e'], 'shipments');
      expect(namesOf(await read(all))).toEqual(['e']);
    });
  });
});
