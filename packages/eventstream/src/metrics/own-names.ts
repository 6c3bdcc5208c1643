import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { MetricFamily, MetricSample } from './metric-family.js';
import type { TopicStats } from './publish-stats.js';
import type { StreamMetricsSource } from './stream-metrics.js';

type Labels = Readonly<Record<string, string>>;

interface Labelled<Tally> {
  readonly labels: Labels;
  readonly tally: Tally;
}

const prefix = 'posthaste_eventstream_';

/** The metrics under this project's names. Topics and groups are labelled as on the wire. */
export function toOwnFamilies(source: StreamMetricsSource): readonly MetricFamily[] {
  return [...publishFamilies(source), ...consumeFamilies(source), lagFamily(source.lags)];
}

function publishFamilies({ published, buffered }: StreamMetricsSource): readonly MetricFamily[] {
  const topics = [...published].map(([topic, tally]) => ({ labels: { topic }, tally }));
  return [
    counter(topics, 'published_total', 'Events acknowledged.', (tally) => tally.records),
    counter(topics, 'published_bytes_total', 'Bytes of these events.', (tally) => tally.bytes),
    counter(topics, 'publish_batches_total', 'Batches acknowledged.', (tally) => tally.batches),
    byCode(topics, 'publish_tries_failed_total', 'Tries that failed.', 'failedWrites'),
    byCode(topics, 'publish_failures_total', 'Events given up.', 'failedEvents'),
    histogram(topics, 'publish_wait_seconds', 'From the first event to the try.', 'waitSeconds'),
    histogram(topics, 'publish_write_seconds', 'Time of a try that succeeded.', 'writeSeconds'),
    histogram(topics, 'publish_batch_events', 'Events in a batch.', 'batchRecords'),
    gauge('publish_buffered_events', 'Events accepted and not settled.', buffered.records),
    gauge('publish_buffered_bytes', 'Bytes of these events.', buffered.bytes),
  ];
}

function consumeFamilies({ consumed, statuses }: StreamMetricsSource): readonly MetricFamily[] {
  const consumers = consumed.map((tally) => ({ labels: consumerLabels(tally.name), tally }));
  return [
    {
      name: `${prefix}consumed_total`,
      help: 'Records finished, by what became of them.',
      type: 'counter',
      samples: consumers.flatMap(({ labels, tally }) =>
        Object.entries(tally.outcomes).map(([outcome, value]) => ({
          labels: { ...labels, outcome },
          value,
        })),
      ),
    },
    counter(consumers, 'consumed_bytes_total', 'Bytes of these records.', (tally) => tally.bytes),
    counter(
      consumers,
      'handler_failures_total',
      'Callbacks that failed.',
      (tally) => tally.failedAttempts,
    ),
    counter(
      consumers,
      'commit_failures_total',
      'Commits that failed.',
      (tally) => tally.failedCommits,
    ),
    counter(
      consumers,
      'interruptions_total',
      'Times the stream went away.',
      (tally) => tally.interruptions,
    ),
    {
      name: `${prefix}partitions_blocked`,
      help: 'Partitions that stand still: a record can neither be handled nor be put away.',
      type: 'gauge',
      // As they are, and not counted: a partition may go to another consumer, which is the end of it.
      samples: statuses.map((consumer) => ({
        labels: consumerLabels(consumer),
        value: consumer.partitions.filter(({ blocked }) => blocked).length,
      })),
    },
    {
      name: `${prefix}consume_delay_seconds`,
      help: 'From a record being appended to it being finished.',
      type: 'histogram',
      samples: consumers.flatMap(({ labels, tally }) => tally.delaySeconds.toHistogram(labels)),
    },
  ];
}

function lagFamily(lags: readonly GroupLag[]): MetricFamily {
  return {
    name: `${prefix}consumer_lag`,
    help: 'Records that the group has not committed yet.',
    type: 'gauge',
    samples: lags.flatMap((group) =>
      group.partitions.map(({ partition, lag }) => ({
        labels: { ...consumerLabels(group), partition: String(partition) },
        value: Number(lag),
      })),
    ),
  };
}

function consumerLabels({ topic, groupId }: ConsumerStats['name']): Labels {
  return { topic, group: groupId };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name: prefix + name, help, type: 'gauge', samples: [{ labels: {}, value }] };
}

function counter<Tally>(
  tallies: readonly Labelled<Tally>[],
  name: string,
  help: string,
  pick: (tally: Tally) => number,
): MetricFamily {
  const samples = tallies.map(({ labels, tally }) => ({ labels, value: pick(tally) }));
  return { name: prefix + name, help, type: 'counter', samples };
}

function byCode(
  topics: readonly Labelled<TopicStats>[],
  name: string,
  help: string,
  field: 'failedWrites' | 'failedEvents',
): MetricFamily {
  const samples = topics.flatMap(({ labels, tally }) =>
    [...tally[field]].map(
      ([code, value]): MetricSample => ({ labels: { ...labels, code }, value }),
    ),
  );
  return { name: prefix + name, help, type: 'counter', samples };
}

function histogram(
  topics: readonly Labelled<TopicStats>[],
  name: string,
  help: string,
  field: 'waitSeconds' | 'writeSeconds' | 'batchRecords',
): MetricFamily {
  const samples = topics.flatMap(({ labels, tally }) => tally[field].toHistogram(labels));
  return { name: prefix + name, help, type: 'histogram', samples };
}
