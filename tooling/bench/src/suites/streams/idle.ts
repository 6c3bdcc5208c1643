/** Row about clients that are connected and have nothing to do. */

import { randomUUID } from 'node:crypto';
import type { Cell, Section } from '../../report.js';
import { median } from '../../statistics.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import { startTask } from '../../streams/start-task.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import { type StreamContext, toTarget } from './stream-context.js';

const limitPercent = 1;
const spareSeconds = 120;

export async function measureIdleClients(context: StreamContext): Promise<Section> {
  const { bench, sizes, contenders } = context;
  const runs = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= sizes.rounds; round += 1) {
    for (const contender of contenders) {
      const percent = await measureOnce(context, contender);
      runs.get(contender.name)?.push(percent);
      const text = percent.toFixed(2);
      bench.log(`round ${round}/${sizes.rounds}, idle, ${contender.name}: ${text} % of a core`);
    }
  }
  const medianOf = (name: string): number => median(runs.get(name) ?? []);
  return {
    id: 'idle',
    title: 'Idle: a publisher and a consumer that are connected',
    columns: ['contender', '% of a core'],
    rows: contenders.map(({ name }): Cell[] => [name, medianOf(name)]),
    bars: [
      {
        what: '% of a core',
        value: medianOf(posthasteStream.name),
        relation: 'under',
        limit: limitPercent,
      },
    ],
    notes: [`CPU time of the whole process over ${sizes.idleSeconds} s.`],
  };
}

/** Returns the CPU time in percent of a core. */
async function measureOnce(
  { bench, sizes }: StreamContext,
  { name: contender }: StreamContender,
): Promise<number> {
  const kafka = await bench.kafka();
  const { idleSeconds: seconds, warmUpSeconds: settleSeconds } = sizes;
  const topic = await kafka.createTopic(sizes.partitions);
  const task = {
    kind: 'idle',
    groupId: `bench-${randomUUID()}`,
    settleSeconds,
    seconds,
  } as const;
  try {
    const target = toTarget(kafka, topic);
    const timeoutMs = (seconds + settleSeconds + spareSeconds) * 1_000;
    const result = await startTask({ contender, target, task }, timeoutMs).result;
    return (result.cpuSeconds / result.seconds) * 100;
  } finally {
    await kafka.deleteTopic(topic);
  }
}
