import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { MetricFamily, MetricSample } from './metric-family.js';
import type { TopicStats } from './publish-stats.js';
import type { StreamMetricsSource } from './stream-metrics.js';

type Labels = Readonly<Record<string, string>>;

/** Statistics with the labels of their series. */
interface Labelled<Stats> {
  readonly labels: Labels;
  readonly stats: Stats;
}

/** Name without the prefix, and help text of a metric. */
interface MetricText {
  readonly name: string;
  readonly help: string;
}

const prefix = 'posthaste_eventstream_';

/**
 * Returns the metrics under this project's names. Topics and groups are labelled as on the wire.
 */
export function toOwnFamilies(source: StreamMetricsSource): readonly MetricFamily[] {
  return [...publishFamilies(source), ...consumeFamilies(source), lagFamily(source.lags)];
}

function publishFamilies({ published, buffered }: StreamMetricsSource): readonly MetricFamily[] {
  const topics = [...published].map(([topic, stats]) => ({ labels: { topic }, stats }));
  const counter = (name: string, help: string, field: 'records' | 'bytes' | 'batches') =>
    counterFamily({ name, help }, topics, (stats) => stats[field]);
  const byCode = (name: string, help: string, field: 'failedWrites' | 'failedEvents') =>
    codeFamily({ name, help }, topics, field);
  const histogram = (name: string, help: string, field: TopicDistribution) =>
    histogramFamily({ name, help }, topics, field);
  return [
    counter('published_total', 'Events acknowledged.', 'records'),
    counter('published_bytes_total', 'Bytes of these events.', 'bytes'),
    counter('publish_batches_total', 'Batches acknowledged.', 'batches'),
    byCode('publish_tries_failed_total', 'Tries that failed.', 'failedWrites'),
    byCode('publish_failures_total', 'Events given up.', 'failedEvents'),
    histogram('publish_wait_seconds', 'From the first event to the try.', 'waitSeconds'),
    histogram('publish_write_seconds', 'Time of a try that succeeded.', 'writeSeconds'),
    histogram('publish_batch_events', 'Events in a batch.', 'batchRecords'),
    gauge('publish_buffered_events', 'Events accepted and not settled.', buffered.records),
    gauge('publish_buffered_bytes', 'Bytes of these events.', buffered.bytes),
  ];
}

function consumeFamilies({ consumed, statuses }: StreamMetricsSource): readonly MetricFamily[] {
  const consumers = consumed.map((stats) => ({ labels: consumerLabels(stats.name), stats }));
  const counter = (
    name: string,
    help: string,
    field: 'bytes' | 'failedCalls' | 'failedCommits' | 'interruptions' | 'lostRecords',
  ) => counterFamily({ name, help }, consumers, (stats) => stats[field]);
  return [
    {
      name: `${prefix}consumed_total`,
      help: 'Records finished, by outcome.',
      type: 'counter',
      samples: consumers.flatMap(({ labels, stats }) =>
        Object.entries(stats.outcomes).map(([outcome, value]) => ({
          labels: { ...labels, outcome },
          value,
        })),
      ),
    },
    counter('consumed_bytes_total', 'Bytes of these records.', 'bytes'),
    counter('handler_failures_total', 'Calls of callbacks that failed.', 'failedCalls'),
    counter('commit_failures_total', 'Commits that failed.', 'failedCommits'),
    counter('interruptions_total', 'Times the stream was interrupted.', 'interruptions'),
    counter('lost_records_total', 'Records deleted by retention unread.', 'lostRecords'),
    {
      name: `${prefix}partitions_blocked`,
      help: 'Partitions with a record that is neither handled nor written to another topic.',
      type: 'gauge',
      // The present state, not a count of reports: a blocked partition may go to another consumer.
      samples: statuses.map((consumer) => ({
        labels: consumerLabels(consumer),
        value: consumer.partitions.filter(({ blocked }) => blocked).length,
      })),
    },
    {
      name: `${prefix}consume_delay_seconds`,
      help: 'From the append of a record until it is finished.',
      type: 'histogram',
      samples: consumers.flatMap(({ labels, stats }) => stats.delaySeconds.toHistogram(labels)),
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

function counterFamily<Stats>(
  { name, help }: MetricText,
  series: readonly Labelled<Stats>[],
  pick: (stats: Stats) => number,
): MetricFamily {
  const samples = series.map(({ labels, stats }) => ({ labels, value: pick(stats) }));
  return { name: prefix + name, help, type: 'counter', samples };
}

function codeFamily(
  { name, help }: MetricText,
  topics: readonly Labelled<TopicStats>[],
  field: 'failedWrites' | 'failedEvents',
): MetricFamily {
  const samples = topics.flatMap(({ labels, stats }) =>
    [...stats[field]].map(
      ([code, value]): MetricSample => ({ labels: { ...labels, code }, value }),
    ),
  );
  return { name: prefix + name, help, type: 'counter', samples };
}

type TopicDistribution = 'waitSeconds' | 'writeSeconds' | 'batchRecords';

function histogramFamily(
  { name, help }: MetricText,
  topics: readonly Labelled<TopicStats>[],
  field: TopicDistribution,
): MetricFamily {
  const samples = topics.flatMap(({ labels, stats }) => stats[field].toHistogram(labels));
  return { name: prefix + name, help, type: 'histogram', samples };
}
