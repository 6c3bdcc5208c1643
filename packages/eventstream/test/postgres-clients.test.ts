import { describeWithPostgres } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../src/client/create-client.js';
import type { SkippedRange } from '../src/drivers/postgres/group/shard-reader.js';
import {
  type ClientTarget,
  clientFixtureOn,
  collectIds,
  onWire,
  prefix,
  publishNumbers,
} from './client-fixture.js';
import { testApplications } from './clients-and-applications.js';
import { testGo } from './clients-and-go.js';
import { testFailing } from './clients-failing.js';
import { testGroupsOfClients } from './clients-in-groups.js';
import { testKilled } from './killed-consumer.js';
import { openTestLog, recordOf, type TestLog } from './open-log.js';

const fromStart = { offset: -2 } as const;
const dayMs = 86_400_000;

function toTarget({ db, log }: TestLog, onSkipped: (range: SkippedRange) => void): ClientTarget {
  const postgres = { leaseMs: 2_000, pollMs: 100, onSkipped };
  return {
    open: (options) => createClient(prefix, 'postgres', [], { ...options, database: db, postgres }),
    createTopic: (topic, partitions) => log.ensureTopic(topic, partitions),
    append: (topic, values) =>
      db.transaction(async (tx) => {
        // One key, so that all are in one partition.
        await log.append(
          tx,
          values.map((value) => recordOf(value, 'key', topic)),
        );
      }),
  };
}

describeWithPostgres('a client on Postgres', () => {
  let test: TestLog;
  const skipped: SkippedRange[] = [];
  const start = clientFixtureOn(() => toTarget(test, (range) => skipped.push(range)));
  beforeAll(async () => {
    test = await openTestLog('postgres');
  });
  afterAll(() => test.close());

  // They run at the same time, since most of it is waiting.
  describe.concurrent('as any client', { timeout: 60_000 }, () => {
    testFailing(start);
    testApplications(start);
    testGroupsOfClients(start);
    testGo(start);
    testKilled(start, { stream: 'postgres', log: () => test });
  });

  it('readers wait for an appender that commits late, and do not skip its record', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const client = await open();
    const got: string[] = [];
    client.register({ topic, groupId: topic, ...fromStart, callback: collectIds(got) });
    await publishNumbers(client, topic, 1);
    await until(() => expect(got).toEqual(['1']));
    const appended = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    const late = test.db.transaction(async (tx) => {
      const value = '{"id":"late","name":"placed"}';
      await test.log.append(tx, [recordOf(value, 'another key', onWire(topic))]);
      appended.resolve();
      await commit.promise;
    });
    await appended.promise;
    await publishNumbers(client, topic, 2, 3);
    // Time for several polls of the consumer.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(got).toEqual(['1']);
    commit.resolve();
    await late;
    await until(() => expect(got).toEqual(['1', 'late', '2', '3']));
  });

  it('a group that is behind skips records that were dropped by retention, and reports the range', async ({
    onTestFinished,
  }) => {
    const { open, newTopic, until } = start(onTestFinished);
    const topic = await newTopic();
    const client = await open();
    await publishNumbers(client, topic, 1, 2);
    const age = `update eventstream.segment set started_at = started_at - interval '9 days'`;
    await test.db.query(age);
    await test.log.maintain();
    await publishNumbers(client, topic, 3);
    await test.db.query(age);
    // Starts no segment: it only drops those past retention.
    await test.log.maintain({ segmentMs: 99 * dayMs });
    const got: string[] = [];
    client.register({ topic, groupId: topic, offset: 0, callback: collectIds(got) });
    await until(() => expect(got).toEqual(['3']));
    const range = { topic: onWire(topic), partition: 0, groupId: onWire(topic), from: 0n, to: 2n };
    expect(skipped).toContainEqual(range);
    const { consumers } = await client.health();
    expect(consumers[0]?.lostRecords).toMatchObject([{ partition: 0, records: 2 }]);
  });
});
