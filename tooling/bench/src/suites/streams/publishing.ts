/** Rows about publishing to Kafka. */

import type { Section } from '../../report.js';
import { posthasteStream } from '../../streams/posthaste-stream.js';
import type { StreamTask } from '../../streams/stream-task.js';
import { ratioBars, toRateSection } from './rate-section.js';
import { measureInTurn, measureRate, type RateCase, type StreamRate } from './rounds.js';
import type { StreamSizes } from './sizes.js';
import { type StreamContext, toTarget } from './stream-context.js';

/** One of the rows. */
interface PublishingRow {
  readonly id: string;
  readonly title: (sizes: StreamSizes) => string;
  readonly task: (sizes: StreamSizes) => StreamTask;
  /** True if contenders use their settings, which concern batches. */
  readonly isBatched: boolean;
  /** Required ratio of our rate to the rate of kafkajs. */
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
  notes: ['Bare clients `send` one message. All contenders wait for all in-sync replicas.'],
};

export const publishFull: PublishingRow = {
  id: 'publish-full',
  title: ({ batchedEvents }) => `Published as fast as possible, ${text(batchedEvents)} events`,
  task: ({ batchedEvents: count }) => ({ kind: 'publish-all', warmUp: count / 10, count }),
  isBatched: true,
  limit: 0.9,
  notes: [
    'Ours validates each event, creates its envelope and headers, and delays the publishing loop when its buffer is full. Bare clients send prepared bytes.',
  ],
};

export async function measurePublishing(
  context: StreamContext,
  row: PublishingRow,
): Promise<Section> {
  const { bench, sizes, contenders } = context;
  const cases = contenders.map(
    ({ name, settings }): RateCase => ({
      contender: { name, settings: row.isBatched ? settings : {} },
      measure: () => measureOnce(context, name, row.task(sizes)),
    }),
  );
  const results = await measureInTurn(bench, cases, { row: row.id, rounds: sizes.rounds });
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

/** Measures one run on a new topic. */
async function measureOnce(
  { bench, sizes }: StreamContext,
  contender: string,
  task: StreamTask,
): Promise<StreamRate> {
  const kafka = await bench.kafka();
  const topic = await kafka.createTopic(sizes.partitions);
  try {
    const target = toTarget(kafka, topic);
    return await measureRate({ contender, target, task }, () => kafka.cpuSeconds());
  } finally {
    await kafka.deleteTopic(topic);
  }
}

function text(count: number): string {
  return count.toLocaleString('en-US');
}
