/** The row about consuming from Kafka. */

import { randomUUID } from 'node:crypto';
import type { Section } from '../../report.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import { startTask } from '../../streams/run-task.js';
import type { StreamPlace } from '../../streams/stream-task.js';
import { type MeasuredStreams, toPlace } from './measured-streams.js';
import { ratioBars, toRateSection } from './rate-section.js';
import { measureInTurn, measureRate, type RateCase } from './rounds.js';

const fillTimeoutMs = 300_000;
const limit = 0.9;

/** All read the same topic, each in a group of its own. */
export async function measureConsuming(measured: MeasuredStreams): Promise<Section> {
  const { bench, sizes, contenders } = measured;
  const { consumedEvents: count } = sizes;
  const kafka = await bench.kafka();
  const topic = await kafka.createTopic(sizes.partitions);
  const place = toPlace(kafka, topic);
  let uncommitted = 0;
  const cases = contenders.map(
    ({ name }): RateCase => ({
      // Their settings are about publishing.
      contender: { name, settings: {} },
      measure: async () => {
        const groupId = `bench-${randomUUID()}`;
        const task = { kind: 'consume', groupId, warmUp: count / 10, count } as const;
        const rate = await measureRate({ contender: name, place, task }, () => kafka.cpuSeconds());
        const left = await kafka.uncommitted(topic, groupId);
        if (name === posthasteStream.name) uncommitted = Math.max(uncommitted, left);
        return rate;
      },
    }),
  );
  try {
    await fill(place, count);
    const results = await measureInTurn(bench, 'consume', cases, sizes.rounds);
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
        'All read the same records. Ours parses each envelope and calls back by event name; bare clients count.',
      ],
    });
  } finally {
    await kafka.deleteTopic(topic);
  }
}

async function fill(place: StreamPlace, count: number): Promise<void> {
  // One more is the event that the publisher connects with.
  const task = { kind: 'publish-all', warmUp: 0, count: count - 1 } as const;
  await startTask({ contender: posthasteStream.name, place, task }, fillTimeoutMs).result;
}
