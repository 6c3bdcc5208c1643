import { expect, it, onTestFinished, vi } from 'vitest';
import { toSubscription } from '../../../../test/kafka-topic.js';
import { RecordingHandler } from '../../../../test/recording-handler.js';
import { ConsumerAssignments } from './consumer-assignments.js';

it('commits offsets when the coordinator does not answer for almost 1.5 s', async () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0);
  onTestFinished(() => random.mockRestore());
  const assignments = new ConsumerAssignments({
    request: toSubscription('orders'),
    handler: new RecordingHandler(),
    heartbeatIntervalMs: 1_000,
  });
  const backAt = performance.now() + 1_400;
  const commit = vi.fn(async () => {
    if (performance.now() < backAt) throw new Error('no coordinator');
  });
  assignments.begin({ commit, heartbeat: async () => undefined }, [0]);
  await assignments.commit(new Map([[0, 5n]]));
  expect(commit).toHaveBeenCalledTimes(5);
});
