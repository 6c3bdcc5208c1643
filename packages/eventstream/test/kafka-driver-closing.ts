import { expect, it, vi } from 'vitest';
import { type DriverFixture, waitOptions } from './kafka-driver-fixture.js';
import { append, createTopic, toSubscription } from './kafka-topic.js';
import { RecordingHandler } from './recording-handler.js';

/** The end of a driver. */
export function testClosing(stage: DriverFixture): void {
  const { open, read } = stage;

  it('takes less than a second when nothing is in hand', async () => {
    const idle = open();
    const topic = await createTopic(stage.brokers);
    const { handler } = read(toSubscription(topic), new RecordingHandler(), idle);
    await append(idle, topic, ['a']);
    await idle.ping();
    await vi.waitFor(() => expect(handler.taken).toHaveLength(1), waitOptions);
    const startedAt = performance.now();
    await idle.close();
    await idle.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(handler.log).toEqual(['assigned 0', 'revoked 0']);
  });

  it('refuses what comes after', async () => {
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
