/** Row about consuming from Kafka. */

import { randomUUID } from 'node:crypto';
import type { Section } from '../../report.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import { startTask } from '../../streams/start-task.js';
import type { StreamTarget } from '../../streams/stream-task.js';
import { ratioBars, toRateSection } from './rate-section.js';
import { measureInTurn, measureRate, type RateCase } from './rounds.js';
import { type StreamContext, toTarget } from './stream-context.js';

const fillTimeoutMs = 300_000;
const limit = 0.9;

/** Measures all contenders on the same topic, each in a new group. */
export async function measureConsuming(context: StreamContext): Promise<Section> {
  const { bench, sizes, contenders } = context;
  const { consumedEvents: count } = sizes;
  const kafka = await bench.kafka();
  const topic = await kafka.createTopic(sizes.partitions);
  const target = toTarget(kafka, topic);
  let uncommitted = 0;
  const cases = contenders.map(
    ({ name }): RateCase => ({
      // Without the settings, which concern publishing.
      contender: { name, settings: {} },
      measure: async () => {
        const groupId = `bench-${randomUUID()}`;
        const task = { kind: 'consume', groupId, warmUp: count / 10, count } as const;
        const rate = await measureRate({ contender: name, target, task }, () => kafka.cpuSeconds());
        const left = await kafka.uncommitted(topic, groupId);
        if (name === posthasteStream.name) uncommitted = Math.max(uncommitted, left);
        return rate;
      },
    }),
  );
  try {
    await fill(target, count);
    const results = await measureInTurn(bench, cases, { row: 'consume', rounds: sizes.rounds });
    return toRateSection({
      id: 'consume',
      title: `Consumed, ${count.toLocaleString('en-US')} events`,
      unit: 'consumed/s',
      store: 'broker',
      cases,
      results,
      bars: [
        ...ratioBars(results, { ours: posthasteStream.name, peer: 'kafkajs', limit }),
        { what: 'events not committed', value: uncommitted, relation: 'at most', limit: 0 },
      ],
      notes: [
        'All contenders read the same records. Ours parses each envelope and calls back by event name; bare clients count.',
      ],
    });
  } finally {
    await kafka.deleteTopic(topic);
  }
}

async function fill(target: StreamTarget, count: number): Promise<void> {
  // One less, because the publisher also sends one event when it connects.
  const task = { kind: 'publish-all', warmUp: 0, count: count - 1 } as const;
  await startTask({ contender: posthasteStream.name, target, task }, fillTimeoutMs).result;
}
