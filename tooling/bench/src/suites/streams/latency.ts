/** Row about the time from publishing an event to its callback. */

import { randomUUID } from 'node:crypto';
import type { Cell, Section } from '../../report.js';
import { median, percentile } from '../../statistics.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import { startTask } from '../../streams/start-task.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import { type StreamContext, toTarget } from './stream-context.js';

const percents = [50, 90, 99, 99.9, 100];
const p99LimitMs = 30;
/** Additional time for the start, joining the group, and closing, in s. */
const spareSeconds = 120;

export async function measureEventLatency(context: StreamContext): Promise<Section> {
  const { bench, sizes, contenders } = context;
  const runs = new Map<string, number[][]>(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= sizes.rounds; round += 1) {
    for (const contender of contenders) {
      const latenciesMs = await measureOnce(context, contender);
      const found = percents.map((percent) => percentile(latenciesMs, percent));
      runs.get(contender.name)?.push(found);
      bench.log(`round ${round}/${sizes.rounds}, latency, ${contender.name}: p99 ${found[2]} ms`);
    }
  }
  const toMedians = (name: string): number[] =>
    percents.map((_, index) => median((runs.get(name) ?? []).map((run) => run[index] ?? NaN)));
  return {
    id: 'latency',
    title: `Published to callback at ${sizes.pacePerSecond} events a second`,
    columns: ['ms', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    rows: contenders.map(({ name }): Cell[] => [name, ...toMedians(name)]),
    bars: [
      {
        what: 'p99 ms',
        value: toMedians(posthasteStream.name)[2] ?? Number.NaN,
        relation: 'under',
        limit: p99LimitMs,
      },
    ],
    notes: [
      'Publisher and consumer are two processes. The time starts before the call that publishes. Calls are made at their time, without waiting for earlier ones.',
    ],
  };
}

/** Returns the latencies of one run, in ms. */
async function measureOnce(
  { bench, sizes }: StreamContext,
  { name: contender }: StreamContender,
): Promise<readonly number[]> {
  const kafka = await bench.kafka();
  const { pacePerSecond: perSecond, latencySeconds: seconds, warmUpSeconds } = sizes;
  const topic = await kafka.createTopic(sizes.partitions);
  const target = toTarget(kafka, topic);
  const groupId = `bench-${randomUUID()}`;
  const timeoutMs = (seconds + warmUpSeconds + spareSeconds) * 1_000;
  const receive = { kind: 'receive', groupId, count: perSecond * seconds } as const;
  const consumer = startTask({ contender, target, task: receive }, timeoutMs);
  try {
    await consumer.begun;
    const pace = { kind: 'pace', perSecond, warmUpSeconds, seconds } as const;
    const published = startTask({ contender, target, task: pace }, timeoutMs).result;
    const [{ latenciesMs }] = await Promise.all([consumer.result, published]);
    return latenciesMs;
  } finally {
    consumer.stop();
    await kafka.deleteTopic(topic);
  }
}
