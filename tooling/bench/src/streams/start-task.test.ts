import { expect, it } from 'vitest';
// The built code, because the process that it starts is built.
import { startTask } from '../../dist/streams/start-task.js';

const target = { topic: 't', brokers: ['127.0.0.1:1'], databaseUrl: '' };
const task = { kind: 'consume', groupId: 'g', warmUp: 0, count: 1 } as const;

it('fails if the process ends without a result', async () => {
  const { result, begun } = startTask({ contender: 'unknown', target, task }, 20_000);
  await expect(result).rejects.toThrow('unknown, consume: the process ended with code 1');
  await expect(begun).rejects.toThrow('the process ended');
});

it('kills a process that takes too long', async () => {
  const { result } = startTask({ contender: 'posthaste', target, task }, 500);
  await expect(result).rejects.toThrow('posthaste, consume: not done in 0.5 s');
});
