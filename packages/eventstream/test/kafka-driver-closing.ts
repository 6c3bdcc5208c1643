import { expect, vi } from 'vitest';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

/** Registers tests of closing a driver. */
export function testClosing(fixture: DriverFixture): void {
  const { it, read } = fixture;

  it('does not wait when no record is being handled', async ({ open }) => {
    const idle = open();
    const topic = await createTopic(fixture.brokers);
    const request = toSubscription(topic, { drainMs: 60_000 });
    const { handler } = read(request, new RecordingHandler(), idle);
    await append(idle, topic, ['a']);
    await idle.ping();
    await vi.waitFor(() => expect(handler.received).toHaveLength(1), waitOptions);
    const startedAt = performance.now();
    await idle.close();
    await idle.close();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(handler.log).toEqual(['assigned 0', 'revoked 0']);
  });

  it('and the rebalances of a group log nothing at level error', async ({ open }) => {
    const errors: unknown[] = [];
    const line = (details: object, message: string): unknown => errors.push({ message, details });
    const silent = (): void => undefined;
    const logger = { error: line, warn: silent, info: silent, debug: silent };
    const topic = await createTopic(fixture.brokers, { numPartitions: 2 });
    const request = toSubscription(topic);
    const drivers = [0, 1, 2].map(() => open({ logMode: 'debug', logger }));
    const readers = drivers.map((driver) => read(request, new RecordingHandler(), driver));
    const heldBy = (count: number): void =>
      expect(readers.map(({ handler }) => handler.partitions.size).filter(Boolean)).toHaveLength(
        count,
      );
    await vi.waitFor(() => heldBy(2), waitOptions);
    await append(fixture.driver, topic, ['a']);
    for (const driver of drivers) await driver.close();
    expect(errors).toEqual([]);
  });

  it('makes later calls fail', async ({ open }) => {
    const closed = open();
    await closed.close();
    const refusal = { code: 'STREAM_CLOSED' };
    await expect(append(closed, 'topic', ['a'])).rejects.toMatchObject(refusal);
    await expect(closed.ping()).rejects.toMatchObject(refusal);
    expect(() => read(toSubscription('topic'), new RecordingHandler(), closed)).toThrow(
      expect.objectContaining(refusal),
    );
  });
}
