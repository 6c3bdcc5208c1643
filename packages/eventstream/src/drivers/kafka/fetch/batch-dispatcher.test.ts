import type { EachBatchPayload } from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import { RecordingHandler } from '../../../../test/recording-handler.js';
import { PartitionAssignment } from '../group/partition-assignment.js';
import { BatchDispatcher } from './batch-dispatcher.js';

const generation = { commit: async () => undefined, heartbeat: async () => undefined };

/** Returns a batch with one message at this offset. */
function toPayload(offset: bigint | string): EachBatchPayload {
  const batch = {
    topic: 'orders',
    partition: 0,
    fetchedOffset: `${offset}`,
    messages: [{ offset, key: null, value: Buffer.from('a') }],
    lastOffset: () => `${offset}`,
  };
  return { batch, resolveOffset: vi.fn(), pause: vi.fn() } as unknown as EachBatchPayload;
}

describe('a batch of kafkajs', () => {
  it('is refused, and fetched again, if kafkajs has decoded it', async () => {
    const assignment = new PartitionAssignment(generation, [0]);
    const handler = new RecordingHandler();
    const dispatcher = new BatchDispatcher({
      topic: 'orders',
      handler,
      consumer: { seek: () => undefined },
      assignment: () => assignment,
    });
    const decodedByKafkajs = toPayload('5');
    await expect(dispatcher.dispatch(decodedByKafkajs)).rejects.toMatchObject({
      code: 'STREAM_UNAVAILABLE',
    });
    expect(decodedByKafkajs.resolveOffset).not.toHaveBeenCalled();
    expect(assignment.positions.size).toBe(0);
    expect(handler.received).toEqual([]);
    await dispatcher.dispatch(toPayload(5n));
    expect(handler.values).toEqual(['a']);
    expect(assignment.positions.get(0)).toBe(6n);
  });
});
