/** The rows about publishing to Kafka. */

import type { Section } from '../../report.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import type { StreamTask } from '../../streams/stream-task.js';
import { type MeasuredStreams, toPlace } from './measured-streams.js';
import { ratioBars, toRateSection } from './rate-section.js';
import { measureInTurn, measureRate, type RateCase, type StreamRate } from './rounds.js';
import type { StreamSizes } from './sizes.js';

interface PublishingRow {
  readonly id: string;
  readonly title: (sizes: StreamSizes) => string;
  readonly task: (sizes: StreamSizes) => StreamTask;
  /** Whether contenders use their settings, which are about batches. */
  readonly isBatched: boolean;
  /** How many times the rate of kafkajs ours has to be. */
  readonly limit: number;
  readonly notes: readonly string[];
}

export const publishEach: PublishingRow = {
  id: 'publish-each',
  title: ({ callers }) =>
    `Published one by one, ${callers} callers that await each of their events`,
  task: ({ callers, warmUpSeconds, eachSeconds: seconds }) => ({
    kind: 'publish-each',
    callers,
    warmUpSeconds,
    seconds,
  }),
  isBatched: false,
  limit: 8,
  notes: ['Bare clients `send` one message. Everybody waits for all in-sync replicas.'],
};

export const publishFull: PublishingRow = {
  id: 'publish-full',
  title: ({ batchedEvents }) => `Published as fast as it goes, ${text(batchedEvents)} events`,
  task: ({ batchedEvents: count }) => ({ kind: 'publish-all', warmUp: count / 10, count }),
  isBatched: true,
  limit: 0.9,
  notes: [
    'Ours validates each event, gives it its envelope and its headers, and makes the loop that publishes wait when its buffer is full. Bare clients send finished bytes.',
  ],
};

export async function measurePublishing(
  measured: MeasuredStreams,
  row: PublishingRow,
): Promise<Section> {
  const { bench, sizes, contenders } = measured;
  const cases = contenders.map(
    ({ name, settings }): RateCase => ({
      contender: { name, settings: row.isBatched ? settings : {} },
      measure: () => measureOnce(measured, name, row.task(sizes)),
    }),
  );
  const results = await measureInTurn(bench, row.id, cases, sizes.rounds);
  return toRateSection({
    id: row.id,
    title: row.title(sizes),
    unit: 'acknowledged/s',
    store: 'broker',
    cases,
    results,
    bars: ratioBars(results, { ours: posthasteStream.name, peer: 'kafkajs', limit: row.limit }),
    notes: row.notes,
  });
}

/** On a topic of its own. */
async function measureOnce(
  { bench, sizes }: MeasuredStreams,
  contender: string,
  task: StreamTask,
): Promise<StreamRate> {
  const kafka = await bench.kafka();
  const topic = await kafka.createTopic(sizes.partitions);
  try {
    const place = toPlace(kafka, topic);
    return await measureRate({ contender, place, task }, () => kafka.cpuSeconds());
  } finally {
    await kafka.deleteTopic(topic);
  }
}

function text(count: number): string {
  return count.toLocaleString('en-US');
}
