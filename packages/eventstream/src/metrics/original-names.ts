/**
 * Metrics under the names of the Go SDK, for existing dashboards. Only names that mean something
 * here are included: dials, fetches and read times belong to the Go client library.
 */

import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { MetricFamily, MetricSample } from './metric-family.js';
import type { TopicStats } from './publish-stats.js';
import type { StreamMetricsSource } from './stream-metrics.js';

const writerPrefix = 'ab_eventstream_kafka_writer_';
const readerPrefix = 'ab_eventstream_kafka_reader_';

/** Returns the metrics under the names of the Go SDK. */
export function toOriginalFamilies(source: StreamMetricsSource): readonly MetricFamily[] {
  return [...writerFamilies(source.published), ...readerFamilies(source)];
}

function writerFamilies(published: ReadonlyMap<string, TopicStats>): readonly MetricFamily[] {
  const counter = (
    name: string,
    help: string,
    pick: (stats: TopicStats) => number,
  ): MetricFamily => ({
    name: writerPrefix + name,
    help,
    type: 'counter',
    samples: [...published].map(([topic, stats]) => ({ labels: { topic }, value: pick(stats) })),
  });
  const summary = (
    name: string,
    help: string,
    field: 'waitSeconds' | 'writeSeconds' | 'batchRecords' | 'batchBytes',
  ): MetricFamily => ({
    name: writerPrefix + name,
    help,
    type: 'summary',
    samples: [...published].flatMap(([topic, stats]) => stats[field].toSummary({ topic })),
  });
  return [
    counter('writes', 'Tries to write a batch.', (stats) => stats.batches + failedTries(stats)),
    counter('messages', 'Events written.', (stats) => stats.records),
    counter('message_bytes', 'Bytes written.', (stats) => stats.bytes),
    counter('errors', 'Tries that failed.', failedTries),
    counter('retries_count_summary', 'Tries that were repeated.', failedTries),
    summary('batch_seconds', 'Time in which a batch was filled.', 'waitSeconds'),
    summary('batch_queue_seconds', 'Time that a batch waited.', 'waitSeconds'),
    summary('write_seconds', 'Time of a write.', 'writeSeconds'),
    summary('wait_seconds', 'Time before a write.', 'waitSeconds'),
    summary('batch_size_summary', 'Events in a batch.', 'batchRecords'),
    summary('batch_bytes_summary', 'Bytes in a batch.', 'batchBytes'),
  ];
}

function readerFamilies({ consumed, lags, toReader }: StreamMetricsSource): MetricFamily[] {
  const family =
    (type: 'counter' | 'gauge') =>
    (name: string, help: string, pick: (stats: ConsumerStats) => number): MetricFamily => ({
      name: readerPrefix + name,
      help,
      type,
      samples: mergeByLabels(
        consumed.map((stats) => ({ labels: { ...toReader(stats.name) }, value: pick(stats) })),
      ),
    });
  const counter = family('counter');
  const gauge = family('gauge');
  return [
    counter('messages', 'Records read.', ({ outcomes }) => sum(Object.values(outcomes))),
    counter('message_bytes', 'Bytes read.', ({ bytes }) => bytes),
    counter('error', 'Failures of callbacks, commits and the stream.', (stats) => {
      return stats.failedCalls + stats.failedCommits + stats.interruptions;
    }),
    gauge('offset', 'Sum of the offsets after the last records.', ({ nextOffset }) =>
      sum([...nextOffset.values()].map(Number)),
    ),
    gauge('lag', 'Records that are not committed yet.', ({ name }) => {
      const own = lags.filter(({ topic, groupId }) => {
        return topic === name.topic && groupId === name.groupId;
      });
      return sum(own.map(lagOf));
    }),
  ];
}

function failedTries({ failedWrites }: TopicStats): number {
  return sum([...failedWrites.values()]);
}

function lagOf({ partitions }: GroupLag): number {
  return sum(partitions.map(({ lag }) => Number(lag)));
}

/** Adds up series with the same labels: as in the Go SDK, the labels do not include the group. */
function mergeByLabels(samples: readonly MetricSample[]): readonly MetricSample[] {
  const merged = new Map<string, MetricSample>();
  for (const { labels, value } of samples) {
    const key = JSON.stringify(labels);
    merged.set(key, { labels, value: value + (merged.get(key)?.value ?? 0) });
  }
  return [...merged.values()];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
