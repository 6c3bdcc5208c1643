import { applicationHeader } from '@posthaste/contracts';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  append,
  openTestLog,
  recordOf,
  type TestLog,
  valuesOf,
} from '../../../../test/open-log.js';
import type { LogRecord } from '../append/append.js';
import type { LiveProgress, LiveReader, RecordTraits } from './live-reader.js';

interface Named {
  readonly topic?: string;
  readonly name?: string;
  readonly application?: string;
}

function named(value: string, { topic = 'orders', name, application }: Named = {}): LogRecord {
  return {
    ...recordOf(value, value, topic),
    headers: {
      ...(name === undefined ? {} : { ce_type: name }),
      ...(application === undefined ? {} : { [applicationHeader]: application }),
    },
  };
}

describe.each(['postgres', 'embedded'] as const)('a live reader on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('of a log', () => {
    let test: TestLog;
    let reader: LiveReader;

    beforeEach(async () => {
      test = await openTestLog(engine);
      reader = test.log.openLiveReader();
    });
    afterEach(() => test.close());

    interface Read {
      readonly topics?: readonly string[];
      readonly isWanted?: (traits: RecordTraits) => boolean;
      readonly maxBytes?: number;
    }

    async function read({ topics, isWanted = () => true, maxBytes = 100_000 }: Read = {}) {
      const values: string[] = [];
      const progress: LiveProgress = await reader.read({
        ...(topics ? { topics: new Set(topics) } : {}),
        ...{ isWanted, maxBytes, onRecords: (records) => values.push(...valuesOf(records)) },
      });
      return { values: values.toSorted(), ...progress };
    }

    it('reads what is appended after it has begun to follow, once', async () => {
      await append(test, named('old'));
      await reader.follow(['orders', 'none'], 'end');
      expect(reader.topics).toEqual(['orders']);
      expect(await read()).toEqual({ values: [], isBehind: false, isGrowing: false });
      await append(test, named('a'), named('b'), named('other', { topic: 'stock' }));
      expect((await read()).values).toEqual(['a', 'b']);
      await append(test, named('c'));
      await reader.follow(['stock'], 'beginning');
      expect((await read({ topics: ['stock'] })).values).toEqual(['other']);
      expect((await read()).values).toEqual(['c']);
      reader.unfollow('orders');
      await append(test, named('d'));
      expect((await read()).values).toEqual([]);
    });

    it('asks about each topic, name and application, and reads no values of the others', async () => {
      await append(test, named('old', { topic: 'stock' }), named('old'));
      await reader.follow(['orders', 'stock'], 'end');
      await append(
        test,
        named('1', { name: 'placed', application: 'shop' }),
        named('2', { name: 'placed', application: 'shop' }),
        named('3', { name: 'placed', application: 'game' }),
        named('4', { name: 'paid', application: 'shop' }),
        named('5', { name: 'placed' }),
        named('6'),
        named('7', { topic: 'stock', name: 'placed', application: 'shop' }),
      );
      const query = vi.spyOn(test.db, 'query');
      const asked: RecordTraits[] = [];
      const { values } = await read({
        isWanted: (traits) => {
          asked.push(traits);
          const { topic, name, application } = traits;
          if (topic === 'stock') return false;
          return name === null || (name === 'placed' && application === 'shop');
        },
      });
      expect(values).toEqual(['1', '2', '6']);
      expect(asked).toHaveLength(6);
      const rows = await Promise.all(query.mock.results.map(({ value }) => value));
      const texts = JSON.stringify(rows, (_, each) =>
        typeof each === 'bigint' ? `${each}` : each,
      );
      expect(texts).not.toContain(JSON.stringify(Buffer.from('7')));
      query.mockClear();
      await append(test, named('8', { topic: 'stock' }));
      await read({ isWanted: () => false });
      expect(query).toHaveBeenCalledTimes(2);
    });

    it('reads a long backlog in parts of bounded size, and every topic comes in turn', async () => {
      await append(test, named('old', { topic: 'a' }), named('old', { topic: 'b' }));
      await reader.follow(['a', 'b'], 'end');
      const long = 'x'.repeat(1_000);
      for (const topic of ['a', 'b']) {
        const records = Array.from({ length: 300 }, (_, i) => named(`${i} ${long}`, { topic }));
        await append(test, ...records);
      }
      const first = await read({ maxBytes: 10_000 });
      expect(first.isBehind).toBe(true);
      expect(first.values.length).toBeLessThan(300);
      const all = [...first.values];
      const seen = [first.values.length];
      for (let isBehind = true; isBehind; ) {
        const page = await read({ maxBytes: 10_000 });
        all.push(...page.values);
        seen.push(page.values.length);
        ({ isBehind } = page);
      }
      expect(all).toHaveLength(600);
      expect(new Set(all).size).toBe(300);
      expect(Math.max(...seen)).toBeLessThan(301);
    });

    it('waits for appenders that have begun before others', async () => {
      await append(test, named('old'));
      await reader.follow(['orders'], 'end');
      if (engine === 'embedded') return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const slow = test.db.transaction(async (tx) => {
        await test.log.append(tx, [named('slow')], { keyOrder: 'append' });
        begun.resolve();
        await promise;
      });
      await begun.promise;
      expect(await read()).toMatchObject({ values: [], isGrowing: true });
      resolve();
      await slow;
      expect(await read()).toMatchObject({ values: ['slow'], isGrowing: false });
    });
  });
});
