import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaBroker, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Driver } from '../src/driver.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';
import { SteadyReader, SteadyWriter } from './steady-traffic.js';

/** How long a broker is away. */
const awayMs = 3_000;
const patience = { timeout: 30_000, interval: 50 };

describeWithKafka('faults of the brokers', () => {
  let kafka: KafkaBroker;
  beforeAll(async () => {
    kafka = await startKafka({ own: true });
  }, 240_000);
  afterAll(() => kafka.close());

  const drivers: Driver[] = [];
  afterEach(async () => {
    await Promise.all(drivers.splice(0).map((driver) => driver.close()));
    await kafka.start();
  });

  describe.each(kafkaDrivers)('on $name', ({ create }) => {
    function open(): Driver {
      const driver = create({ brokers: kafka.brokers });
      drivers.push(driver);
      return driver;
    }

    it('no broker at the start: tells so, and works when there is one', async () => {
      const topic = await createTopic(kafka.brokers);
      await kafka.stop();
      const driver = open();
      const handler = new RecordingHandler();
      driver.subscribe(toSubscription(topic), handler);
      const unavailable = { code: 'STREAM_UNAVAILABLE' };
      await expect(append(driver, topic, ['lost'])).rejects.toMatchObject(unavailable);
      await expect(driver.partitionCount(topic)).rejects.toMatchObject(unavailable);
      await expect(driver.ping()).rejects.toMatchObject(unavailable);
      await expect(driver.lag(topic)).rejects.toMatchObject(unavailable);
      await vi.waitFor(() => expect(handler.interruptions[0]).toMatchObject(unavailable), patience);
      await kafka.start();
      await vi.waitFor(() => driver.ping(), patience);
      await append(driver, topic, ['kept']);
      await vi.waitFor(() => expect(handler.values).toEqual(['kept']), patience);
    }, 60_000);

    it.each<[string, (broker: KafkaBroker) => Promise<void>]>([
      ['stopped for a while', (broker) => broker.stop()],
      ['killed', (broker) => broker.kill()],
    ])(
      'a broker that is %s: nothing is lost, and the order holds',
      async (_, fault) => {
        const topic = await createTopic(kafka.brokers);
        const writer = new SteadyWriter(open(), topic);
        const reader = new SteadyReader(open(), toSubscription(topic));
        await vi.waitFor(() => expect(reader.numbers.length).toBeGreaterThan(50), patience);
        const leaver = open();
        const left = new RecordingHandler();
        leaver.subscribe(toSubscription(topic), left);
        await vi.waitFor(() => expect(left.taken).not.toEqual([]), patience);
        await fault(kafka);
        await sleep(awayMs);
        await expectToEndSoon(leaver.close());
        await kafka.start();
        const { written } = writer;
        await vi.waitFor(
          () => expect(reader.numbers.length).toBeGreaterThan(written + 50),
          patience,
        );
        await writer.stop();
        const expected = Array.from({ length: writer.written }, (__, number) => number);
        await vi.waitFor(() => expect(reader.numbers).toHaveLength(expected.length), patience);
        expect(reader.numbers).toEqual(expected);
        expect(reader.handler.interruptions).not.toEqual([]);

        const log = new RecordingHandler();
        const { length } = reader.numbers;
        open().subscribe(toSubscription(topic), log);
        const logged = (): number[] => log.values.map(Number);
        await vi.waitFor(() => expect(new Set(logged()).size).toBe(length), patience);
        const doubles = logged().length - length;
        // A batch is written twice only where nobody can know whether it was written.
        expect(doubles).toBeLessThanOrEqual(5 * writer.failures.filter(isUnknown).length);
      },
      120_000,
    );
  });
});

/** Closing does not wait for a broker to come back. */
async function expectToEndSoon(closing: Promise<void>): Promise<void> {
  const startedAt = performance.now();
  await closing;
  expect(performance.now() - startedAt).toBeLessThan(10_000);
}

function isUnknown(code: string): boolean {
  return code === 'EVENT_OUTCOME_UNKNOWN';
}
