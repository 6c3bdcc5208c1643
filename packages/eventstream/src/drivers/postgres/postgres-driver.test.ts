import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { append, openTestLog, recordOf, type TestLog } from '../../../test/open-log.js';
import {
  commitAll,
  offsetsAfter,
  RecordingHandler,
  type RecordingOptions,
} from '../../../test/recording-handler.js';
import {
  type Driver,
  type DriverSubscription,
  offsetBeginning,
  offsetEnd,
  type SubscriptionRequest,
} from '../../driver.js';
import { createPostgresDriver, type PostgresDriverOptions } from './postgres-driver.js';
import { PostgresLog } from './postgres-log.js';

const request: SubscriptionRequest = {
  topic: 'orders',
  groupId: 'mail',
  groupInstanceId: undefined,
  startOffset: offsetBeginning,
  drainMs: 2_000,
};
/** A lease that does not run out, also on a busy machine. */
const settings: PostgresDriverOptions = { leaseMs: 6_000, pollMs: 100 };
const shortLease: PostgresDriverOptions = { leaseMs: 600, pollMs: 100 };

interface Consumer {
  readonly handler: RecordingHandler;
  readonly subscription: DriverSubscription;
}

function consume(
  driver: Driver,
  fields: Partial<SubscriptionRequest> = {},
  options: RecordingOptions = {},
): Consumer {
  const handler = new RecordingHandler(options);
  return { handler, subscription: driver.subscribe({ ...request, ...fields }, handler) };
}

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000, interval: 10 });

const untilValues = ({ handler }: Consumer, ...values: string[]): Promise<void> =>
  until(() => expect(handler.values).toEqual(values));

const untilAssigned = ({ handler }: Consumer, count: number): Promise<void> =>
  until(() => expect(handler.partitions.size).toBe(count));

describe.each(['postgres', 'embedded'] as const)('the driver on %s', (engine) => {
  const describeEngine = engine === 'postgres' ? describeWithPostgres : describe;
  describeEngine('a stream', () => {
    let test: TestLog;
    let driver: Driver;
    beforeEach(async () => {
      test = await openTestLog(engine, { partitions: 4 });
      driver = createPostgresDriver(test.log, settings);
    });
    afterEach(async () => {
      await driver.close();
      await test.close();
    });

    const put = (partition: number, ...values: string[]): Promise<void> =>
      driver.append({
        topic: 'orders',
        partition,
        records: values.map((value) => recordOf(value)),
        timeoutMs: 5_000,
      });

    it('delivers appended records in order, and uncommitted ones again', async () => {
      expect(await driver.partitionCount('orders')).toBe(4);
      await put(2, 'one', 'two', 'three');
      const first = consume(driver);
      await untilValues(first, 'one', 'two', 'three');
      await put(2, 'four');
      await untilValues(first, 'one', 'two', 'three', 'four');
      await first.subscription.commit(new Map([[2, 2n]]));
      await first.subscription.close();
      expect(first.handler.log.at(-1)).toBe('revoked 0,1,2,3');
      const second = consume(driver);
      await untilValues(second, 'three', 'four');
      expect(second.handler.received).toMatchObject([
        { topic: 'orders', partition: 2, offset: 2n, key: null },
        { topic: 'orders', partition: 2, offset: 3n, key: null },
      ]);
    });

    it('begins at the start offset, and continues there before the first commit', async () => {
      await driver.partitionCount('orders');
      await put(0, 'one', 'two');
      const end = consume(driver, { groupId: 'end', startOffset: offsetEnd });
      await untilAssigned(end, 4);
      await end.subscription.close();
      await put(0, 'three');
      await untilValues(consume(driver, { groupId: 'end', startOffset: offsetEnd }), 'three');
      await untilValues(consume(driver, { groupId: 'number', startOffset: 1n }), 'two', 'three');
    });

    it('waits for a slow handler, and keeps its partitions in the meantime', async () => {
      await driver.partitionCount('orders');
      await put(0, 'one');
      const released = Promise.withResolvers<void>();
      const leaseMs = 1_500;
      const reader = createPostgresDriver(test.log, { ...settings, leaseMs });
      const slow = consume(reader, {}, { onRecords: () => released.promise });
      await untilValues(slow, 'one');
      await put(0, 'two');
      await put(1, 'other partition');
      await untilValues(slow, 'one', 'other partition');
      await new Promise((resolve) => setTimeout(resolve, leaseMs + 500));
      expect(slow.handler.values).toEqual(['one', 'other partition']);
      expect(slow.handler.log).toEqual(['assigned 0,1,2,3']);
      released.resolve();
      await untilValues(slow, 'one', 'other partition', 'two');
      await commitAll(slow.subscription, slow.handler);
      expect(slow.handler.interruptions).toEqual([]);
      await reader.close();
    });

    it('divides the partitions among the members, also when one leaves', async () => {
      const first = consume(driver);
      await untilAssigned(first, 4);
      const second = consume(driver);
      await untilAssigned(second, 2);
      expect(first.handler.partitions.size).toBe(2);
      const third = consume(driver);
      await untilAssigned(third, 1);
      expect([first.handler.partitions.size, second.handler.partitions.size].toSorted()).toEqual([
        1, 2,
      ]);
      const assigned = [first, second, third].flatMap(({ handler }) => [...handler.partitions]);
      expect(assigned.toSorted()).toEqual([0, 1, 2, 3]);
      await first.subscription.close();
      await second.subscription.close();
      await untilAssigned(third, 4);
      expect(third.handler.log.filter((line) => line.startsWith('lost'))).toEqual([]);
    });

    it('lets a handler finish and commit revoked partitions', async () => {
      await driver.partitionCount('orders');
      await put(3, 'one');
      const first: Consumer = consume(
        driver,
        {},
        { onRevoked: () => commitAll(first.subscription, first.handler) },
      );
      await untilValues(first, 'one');
      await first.subscription.close();
      const second = consume(driver);
      await untilAssigned(second, 4);
      await put(3, 'two');
      await untilValues(second, 'two');
    });

    it('does not wait for a handler that does not finish in time', async () => {
      const never = new Promise<void>(() => undefined);
      const endless = consume(driver, { drainMs: 50 }, { onRevoked: () => never });
      await untilAssigned(endless, 4);
      await endless.subscription.close();
      await untilAssigned(consume(driver), 4);
    });

    it('replaces a member by another with its instance id, at once', async () => {
      const patient = createPostgresDriver(test.log, { leaseMs: 60_000, pollMs: 100 });
      const fields = { groupInstanceId: 'worker-1' };
      const first = consume(patient, fields);
      await untilAssigned(first, 4);
      const second = consume(patient, fields);
      await untilAssigned(second, 4);
      await expect(first.subscription.commit(new Map([[0, 0n]]))).rejects.toMatchObject({
        code: 'STREAM_ASSIGNMENT_LOST',
      });
      // The first stays out: otherwise the two would replace each other for ever.
      await until(() => expect(first.handler.partitions.size).toBe(0));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(second.handler.log).toEqual(['assigned 0,1,2,3']);
      expect(first.handler.interruptions).toMatchObject([{ code: 'STREAM_ASSIGNMENT_LOST' }]);
      await Promise.all([first.subscription.close(), second.subscription.close()]);
    });

    it('refuses impossible requests', async () => {
      await driver.partitionCount('orders');
      await expect(put(7, 'nowhere')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
      const large = { ...recordOf(''), value: Buffer.alloc(2_000_000) };
      const tooLarge = { topic: 'orders', partition: 0, records: [large], timeoutMs: 1_000 };
      await expect(driver.append(tooLarge)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
      const unknown = { ...tooLarge, topic: 'unknown', records: [recordOf('x')] };
      await expect(driver.append(unknown)).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
      for (const options of [{ leaseMs: 10 }, { pollMs: 0 }, { batchSize: 0 }]) {
        expect(() => createPostgresDriver(test.log, options)).toThrow('must be at least');
      }
    });

    it('reports nothing after it is closed', async () => {
      await driver.ping();
      const consumer = consume(driver);
      await untilAssigned(consumer, 4);
      await driver.close();
      await driver.close();
      expect(consumer.handler.partitions.size).toBe(0);
      await expect(driver.ping()).rejects.toMatchObject({ code: 'STREAM_CLOSED' });
      expect(() => consume(driver)).toThrow('closed');
    });

    it('reports records that were dropped before they were read', async () => {
      const skipped: unknown[] = [];
      await append(test, recordOf('one', 'k'), recordOf('two', 'k'));
      const [{ partition = 0 } = {}] = (
        await test.log.listEvents({ within: 'all', topics: ['orders'] })
      ).records;
      await test.log.ensureGroup({ topic: 'orders', groupId: 'mail' }, offsetBeginning);
      const aged = `update eventstream.segment set started_at = started_at - interval '9 days'`;
      await test.db.query(aged);
      await test.log.maintain();
      await append(test, recordOf('three', 'k'));
      await test.db.query(aged);
      await test.log.maintain({ segmentMs: 99 * 86_400_000 });
      const telling = createPostgresDriver(test.log, {
        ...settings,
        onSkipped: (range) => skipped.push(range),
      });
      await untilValues(consume(telling), 'three');
      expect(skipped).toEqual([{ topic: 'orders', partition, groupId: 'mail', from: 0n, to: 2n }]);
      await telling.close();
    });
  });
});

/** Returns a database that can be cut off, as when a process is frozen or has lost its network. */
function cutOff(db: Database): { readonly db: Database; isAway: boolean } {
  const cut = {
    isAway: false,
    db: new Proxy(db, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...values: unknown[]) => {
          if (cut.isAway && (name === 'query' || name === 'transaction')) {
            return Promise.reject(new PlatformError('DATABASE_UNAVAILABLE', 'cut off by the test'));
          }
          return Reflect.apply(value, target, values);
        };
      },
    }),
  };
  return cut;
}

describeWithPostgres('a consumer that is cut off', () => {
  let test: TestLog;
  let driver: Driver;
  beforeEach(async () => {
    test = await openTestLog('postgres');
    driver = createPostgresDriver(test.log, shortLease);
    await append(test, recordOf('one'));
  });
  afterEach(async () => {
    await driver.close();
    await test.close();
  });

  it('loses its partitions when the lease runs out, and joins again', async () => {
    const cut = cutOff(test.db);
    const log = new PostgresLog({ db: cut.db });
    const away = createPostgresDriver(log, shortLease);
    const consumer = consume(away);
    await untilValues(consumer, 'one');
    cut.isAway = true;
    const commit = consumer.subscription.commit(offsetsAfter(consumer.handler.received));
    await expect(commit).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' });
    await until(() => expect(consumer.handler.log).toEqual(['assigned 0', 'lost 0']));
    expect(consumer.handler.interruptions[0]).toMatchObject({ code: 'STREAM_UNAVAILABLE' });
    cut.isAway = false;
    await untilValues(consumer, 'one', 'one');
    await away.close();
    await log.close();
  });

  it('keeps its partitions when it is back before that', async () => {
    const cut = cutOff(test.db);
    const log = new PostgresLog({ db: cut.db });
    const away = createPostgresDriver(log, settings);
    const consumer = consume(away);
    await untilValues(consumer, 'one');
    cut.isAway = true;
    await append(test, recordOf('two'));
    await until(() => expect(consumer.handler.interruptions.length).toBeGreaterThan(1));
    cut.isAway = false;
    await untilValues(consumer, 'one', 'two');
    expect(consumer.handler.log).toEqual(['assigned 0']);
    await away.close();
    await log.close();
  });

  it('cannot commit partitions that another took over, not even when it owns them again', async () => {
    const cut = cutOff(test.db);
    const log = new PostgresLog({ db: cut.db });
    const away = createPostgresDriver(log, shortLease);
    const first = consume(away);
    await untilValues(first, 'one');
    cut.isAway = true;
    const second = consume(driver);
    await untilValues(second, 'one');
    await commitAll(second.subscription, second.handler);
    cut.isAway = false;
    await expect(first.subscription.commit(new Map([[0, 0n]]))).rejects.toMatchObject({
      code: 'STREAM_ASSIGNMENT_LOST',
    });
    expect(await test.log.lag('orders', 'mail')).toMatchObject([{ partitions: [{ lag: 0n }] }]);
    await away.close();
    await log.close();
  });

  it('finds records without hints', async () => {
    const consumer = consume(driver);
    await untilValues(consumer, 'one');
    await test.db.transaction((tx) => test.log.append(tx, [recordOf('quiet')], { notify: false }));
    await untilValues(consumer, 'one', 'quiet');
  });

  it('gets hints at once when it polls rarely', async () => {
    const rarely = createPostgresDriver(test.log, { leaseMs: 60_000, pollMs: 60_000 });
    const consumer = consume(rarely);
    await untilValues(consumer, 'one');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await append(test, recordOf('two'));
    await untilValues(consumer, 'one', 'two');
    await rarely.append({
      topic: 'orders',
      partition: 0,
      records: [recordOf('three')],
      timeoutMs: 1_000,
    });
    await untilValues(consumer, 'one', 'two', 'three');
    await rarely.close();
  });
});
