import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createEvent } from './bench-event.js';
import type { EventListener, StreamContender } from './stream-contender.js';
import type { StreamTask, TaskResult } from './stream-task.js';
import { runTask } from './task-runner.js';

const target = { topic: 't', brokers: [], databaseUrl: '' };

/** Creates a contender without a server. */
function setUp() {
  const closed = vi.fn(() => Promise.resolve());
  const publish = vi.fn(async (): Promise<void> => {
    await nextTurn();
  });
  const publishAll = vi.fn(() => Promise.resolve());
  const opened = Promise.withResolvers<EventListener>();
  const contender: StreamContender = {
    name: 'fake',
    settings: {},
    openPublisher: () => Promise.resolve({ publish, publishAll, close: closed }),
    openConsumer: ({ listener }) => {
      opened.resolve(listener);
      return Promise.resolve({ close: closed });
    },
  };
  const begun = vi.fn();
  const work = (task: StreamTask): Promise<TaskResult> =>
    runTask({ contender, target, begun }, task);
  return { work, begun, publish, publishAll, closed, listener: opened.promise };
}

describe('runTask', () => {
  it('counts what callers publish after the warm-up', async () => {
    const { work, begun, publish, closed } = setUp();
    const task = { kind: 'publish-each', callers: 3, warmUpSeconds: 0.02, seconds: 0.02 } as const;
    const { events, seconds } = await work(task);
    expect(events).toBeGreaterThan(0);
    expect(events).toBeLessThan(publish.mock.calls.length);
    expect(seconds).toBeGreaterThan(0.01);
    expect(begun).toHaveBeenCalledOnce();
    expect(closed).toHaveBeenCalledOnce();
  });

  it('fails if the publisher fails', async () => {
    const { work, publish } = setUp();
    publish.mockRejectedValueOnce(new Error('refused'));
    const task = { kind: 'publish-each', callers: 2, warmUpSeconds: 60, seconds: 60 } as const;
    await expect(work(task)).rejects.toThrow('refused');
  });

  it('publishes all events on an open connection', async () => {
    const { work, publish, publishAll } = setUp();
    expect(await work({ kind: 'publish-all', warmUp: 5, count: 50 })).toMatchObject({ events: 50 });
    expect(publishAll.mock.calls).toEqual([
      [createEvent(), 5],
      [createEvent(), 50],
    ]);
    expect(publish).toHaveBeenCalledOnce();
  });

  it('measures consuming after the warm-up', async () => {
    const { work, begun, listener } = setUp();
    const done = work({ kind: 'consume', groupId: 'g', warmUp: 10, count: 100 });
    const counting = await listener;
    if (counting.kind !== 'count') expect.fail();
    counting.onEvents(9);
    expect(begun).not.toHaveBeenCalled();
    counting.onEvents(11);
    expect(begun).toHaveBeenCalledOnce();
    counting.onEvents(80);
    expect(await done).toMatchObject({ events: 80 });
  });

  it('measures the latency of events that contain the moment of publishing', async () => {
    const { work, listener } = setUp();
    const done = work({ kind: 'receive', groupId: 'g', count: 1 });
    const looking = await listener;
    if (looking.kind !== 'payload') expect.fail();
    looking.onPayload(createEvent().payload);
    looking.onPayload(createEvent(String(process.hrtime.bigint() - 5_000_000n)).payload);
    const { latenciesMs } = await done;
    expect(latenciesMs).toHaveLength(1);
    expect(latenciesMs[0]).toBeGreaterThanOrEqual(5);
  });

  it('publishes at the given rate', async () => {
    const { work, publish } = setUp();
    const task = { kind: 'pace', perSecond: 500, warmUpSeconds: 0.02, seconds: 0.1 } as const;
    const { events, seconds } = await work(task);
    expect(events).toBe(50);
    expect(publish).toHaveBeenCalledTimes(60);
    expect(seconds).toBeGreaterThanOrEqual(0.09);
  });
});
