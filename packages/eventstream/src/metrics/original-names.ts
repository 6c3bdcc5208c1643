/**
 * The metrics under the names of the Go SDK, for dashboards that exist. Of its names those are
 * there that mean something here; dials, fetches and read times belong to its client library.
 */

import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { MetricFamily, MetricSample } from './metric-family.js';
import type { TopicStats } from './publish-stats.js';
import type { StreamMetricsSource } from './stream-metrics.js';

const writerPrefix = 'ab_eventstream_kafka_writer_';
const readerPrefix = 'ab_eventstream_kafka_reader_';

export function toOriginalFamilies(source: StreamMetricsSource): readonly MetricFamily[] {
  return [...writerFamilies(source.published), ...readerFamilies(source)];
}

function writerFamilies(published: ReadonlyMap<string, TopicStats>): readonly MetricFamily[] {
  const family = (
    type: 'counter' | 'summary',
    name: string,
    help: string,
    toSamples: (tally: TopicStats, labels: { topic: string }) => readonly MetricSample[],
  ): MetricFamily => ({
    name: writerPrefix + name,
    help,
    type,
    samples: [...published].flatMap(([topic, tally]) => toSamples(tally, { topic })),
  });
  const counter = (name: string, help: string, pick: (tally: TopicStats) => number): MetricFamily =>
    family('counter', name, help, (tally, labels) => [{ labels, value: pick(tally) }]);
  const summary = (
    name: string,
    help: string,
    pick: (tally: TopicStats) => TopicStats['waitSeconds'],
  ): MetricFamily =>
    family('summary', name, help, (tally, labels) => pick(tally).toSummary(labels));
  return [
    counter('writes', 'Tries to write a batch.', (tally) => tally.batches + failedTries(tally)),
    counter('messages', 'Events written.', (tally) => tally.records),
    counter('message_bytes', 'Bytes written.', (tally) => tally.bytes),
    counter('errors', 'Tries that failed.', failedTries),
    counter('retries_count_summary', 'Tries that were made again.', failedTries),
    summary('batch_seconds', 'Time a batch was filled for.', (tally) => tally.waitSeconds),
    summary('batch_queue_seconds', 'Time a batch waited.', (tally) => tally.waitSeconds),
    summary('write_seconds', 'Time of a write.', (tally) => tally.writeSeconds),
    summary('wait_seconds', 'Time before a write.', (tally) => tally.waitSeconds),
    summary('batch_size_summary', 'Events in a batch.', (tally) => tally.batchRecords),
    summary('batch_bytes_summary', 'Bytes in a batch.', (tally) => tally.batchBytes),
  ];
}

function readerFamilies({ consumed, lags, toReader }: StreamMetricsSource): MetricFamily[] {
  const family = (
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    pick: (tally: ConsumerStats) => number,
  ): MetricFamily => ({
    name: readerPrefix + name,
    help,
    type,
    samples: mergeByLabels(
      consumed.map((tally) => ({ labels: { ...toReader(tally.name) }, value: pick(tally) })),
    ),
  });
  return [
    family('counter', 'messages', 'Records read.', ({ outcomes }) => sum(Object.values(outcomes))),
    family('counter', 'message_bytes', 'Bytes read.', ({ bytes }) => bytes),
    family('counter', 'error', 'Failures of callbacks, commits and the stream.', (tally) => {
      return tally.failedAttempts + tally.failedCommits + tally.interruptions;
    }),
    family('gauge', 'offset', 'Offsets after the last records, added up.', ({ nextOffset }) =>
      sum([...nextOffset.values()].map(Number)),
    ),
    family('gauge', 'lag', 'Records that are not committed yet.', ({ name }) => {
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

/** The labels leave the group out, as the Go SDK's do; series that fall together are added up. */
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
