import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaBroker, quickRecovery, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { expect, it, type TestContext, vi } from 'vitest';
import {
  type ClientFixture,
  clientFixtureOn,
  collectIds,
  publishNumbers,
} from './client-fixture.js';
import { kafkaClients, kafkaTarget } from './kafka-clients.js';
import { SteadyTraffic } from './steady-traffic.js';

/** Longest time until a handled record is committed, in ms: every 250 ms, but machines are busy. */
const uncommittedMs = 3_000;
const waitOptions = { timeout: 60_000, interval: 50 };
/** Longest time of a test, in ms. The first start of a broker ever downloads it. */
const timeout = 300_000;

/** Clients of one test on both drivers, which meet the fault at the same time, and their broker. */
interface Stage {
  readonly kafka: KafkaBroker;
  readonly each: readonly ClientFixture[];
}

/** Starts a broker that the test breaks. It is closed after the clients, when the test has ended. */
async function startStage({ onTestFinished }: TestContext): Promise<Stage> {
  const kafka = await startKafka({ own: true, settings: quickRecovery });
  onTestFinished(() => kafka.close());
  const each = kafkaClients.map(({ open }) =>
    clientFixtureOn(() => kafkaTarget(kafka.brokers, open))(onTestFinished),
  );
  return { kafka, each };
}

/** At the same time, since most of it is waiting. */
describeWithKafka.concurrent('clients on Kafka', { timeout }, () => {
  it('start to work when a broker starts after them', async (context) => {
    const { kafka, each } = await startStage(context);
    const topics = await Promise.all(each.map(({ newTopic }) => newTopic()));
    await kafka.stop();
    const clients = await Promise.all(each.map(({ open }) => open()));
    const unavailable = { code: 'STREAM_UNAVAILABLE' };
    const work = clients.map(async (client, index) => {
      const topic = topics[index] ?? '';
      const ids: string[] = [];
      client.register({ topic, groupId: topic, offset: -2, callback: collectIds(ids) });
      const published = publishNumbers(client, topic, 1, 2);
      const hasty = client.publish({ topic, eventName: 'placed', timeoutMs: 100 });
      await expect(hasty).rejects.toMatchObject({ code: 'EVENT_NOT_PUBLISHED' });
      await expect(client.lag(topic)).rejects.toMatchObject(unavailable);
      const consumers = [{ interruption: unavailable }];
      const expected = { healthy: false, streamError: unavailable, consumers };
      await vi.waitFor(
        async () => expect(await client.health()).toMatchObject(expected),
        waitOptions,
      );
      return { ids, published };
    });
    const started = await Promise.all(work);
    await kafka.start();
    for (const { ids, published } of started) {
      await published;
      await vi.waitFor(() => expect(ids).toEqual(['1', '2']), waitOptions);
    }
    for (const client of clients) {
      await vi.waitFor(async () => expect((await client.health()).healthy).toBe(true), waitOptions);
    }
  });

  const faults = [
    {
      what: 'stopped for half a minute',
      awayMs: 30_000,
      fault: (kafka: KafkaBroker) => kafka.stop(),
    },
    { what: 'killed', awayMs: 3_000, fault: (kafka: KafkaBroker) => kafka.kill() },
  ];
  it.for(faults)(
    'lose nothing and keep the order of every key when a broker is $what',
    async ({ awayMs, fault }, context) => {
      const { kafka, each } = await startStage(context);
      const traffics = await Promise.all(
        each.map(async ({ newTopic, open }) => SteadyTraffic.start(await newTopic(3), open)),
      );
      const leavers = await Promise.all(
        each.map(async ({ newTopic, open }) => {
          const leaver = await open();
          const topic = await newTopic();
          const ids: string[] = [];
          leaver.register({ topic, groupId: topic, offset: -2, callback: collectIds(ids) });
          await publishNumbers(leaver, topic, 1);
          await vi.waitFor(() => expect(ids).toEqual(['1']), waitOptions);
          return leaver;
        }),
      );
      for (const traffic of traffics) {
        await vi.waitFor(() => expect(traffic.arrived).toBeGreaterThan(100), waitOptions);
      }
      // Then most of it is committed, and may not come again.
      await sleep(1.5 * uncommittedMs);
      const faultAtMs = Date.now();
      await fault(kafka);
      await Promise.all([sleep(awayMs), ...leavers.map(expectToCloseSoon)]);
      const publishedBefore = traffics.map(({ published }) => published);
      for (const { client } of traffics) {
        expect((await client.health()).streamError?.code).toBe('STREAM_UNAVAILABLE');
      }
      await kafka.start();
      for (const [index, traffic] of traffics.entries()) {
        const enough = (publishedBefore[index] ?? 0) + 100;
        await vi.waitFor(() => expect(traffic.arrived).toBeGreaterThan(enough), waitOptions);
        await traffic.stop();
        expect(traffic.failures).toEqual([]);
        await vi.waitFor(() => expect(traffic.arrived).toBe(traffic.published), waitOptions);
        expect(traffic.numbersByKey).toEqual(traffic.expectedByKey);
        expect(traffic.failedTries).not.toEqual([]);
        expect(traffic.storedTwice).toBeLessThanOrEqual(traffic.maybeStored);
        expect(Math.min(...traffic.repeatedAtMs)).toBeGreaterThan(faultAtMs - uncommittedMs);
        await vi.waitFor(
          async () => expect((await traffic.client.health()).healthy).toBe(true),
          waitOptions,
        );
      }
    },
  );
});

/** Closes a client, which must not wait for a broker to come back. */
async function expectToCloseSoon(client: SteadyTraffic['client']): Promise<void> {
  const startedAt = performance.now();
  await client.close({ drainMs: 2_000 });
  expect(performance.now() - startedAt).toBeLessThan(20_000);
}
