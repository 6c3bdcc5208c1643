import { describe, expect, it } from 'vitest';
import type { StoredRecord } from '../record.js';
import { ConsumeStats } from './consume-stats.js';
import { toPrometheusText } from './metric-family.js';
import { toOriginalFamilies } from './original-names.js';
import { toOwnFamilies } from './own-names.js';
import { PublishStats } from './publish-stats.js';
import type { MetricNames } from './stream-metrics.js';

function stored(partition: number, offset: bigint): StoredRecord {
  const value = Buffer.from('12345');
  return {
    topic: 'p.orders',
    partition,
    offset,
    key: null,
    value,
    headers: {},
    timestampMs: 1_000,
  };
}

/** Returns the metrics of some work of each kind, as text. */
function textOf(names: MetricNames): string {
  const published = new PublishStats();
  const batch = { topic: 'p.orders', partition: 0, waitMs: 5 };
  published.batchWritten({ ...batch, records: 2, bytes: 100, writeMs: 10 });
  published.batchWritten({ ...batch, records: 4, bytes: 300, writeMs: 30 });
  published.writeFailed({ topic: 'p.orders', code: 'STREAM_UNAVAILABLE' });
  published.eventFailed('p.orders', 'EVENT_TOO_LARGE');
  const consumed = new ConsumeStats(() => 1_020);
  const consumer = { topic: 'p.orders', groupId: 'p.mail' };
  consumed.finished(consumer, stored(0, 6n), 'handled');
  consumed.finished({ ...consumer }, stored(1, 2n), 'skipped');
  consumed.callFailed(consumer);
  consumed.commitFailed(consumer);
  consumed.interrupted(consumer);
  consumed.recordsLost(consumer, { partition: 0, from: 2n, to: 6n });
  const states = [0, 1].map((partition) => ({ partition, inHand: 1, blocked: partition === 0 }));
  const partitions = [{ partition: 0, committed: 7n, end: 9n, lag: 2n }];
  const source = {
    published: published.topics,
    buffered: { records: 3, bytes: 150 },
    consumed: [...consumed.consumers],
    statuses: [{ ...consumer, partitions: states, interruption: undefined, losses: [] }],
    lags: [{ ...consumer, partitions }],
    toReader: () => ({ topic: 'orders', event: 'placed' }),
  };
  const toFamilies = names === 'original' ? toOriginalFamilies : toOwnFamilies;
  return toPrometheusText(toFamilies(source));
}

describe('metrics', () => {
  it.each([
    'posthaste_eventstream_published_total{topic="p.orders"} 6',
    'posthaste_eventstream_published_bytes_total{topic="p.orders"} 400',
    'posthaste_eventstream_publish_batches_total{topic="p.orders"} 2',
    'posthaste_eventstream_publish_tries_failed_total{topic="p.orders",code="STREAM_UNAVAILABLE"} 1',
    'posthaste_eventstream_publish_failures_total{topic="p.orders",code="EVENT_TOO_LARGE"} 1',
    'posthaste_eventstream_publish_write_seconds_bucket{topic="p.orders",le="0.01"} 1',
    'posthaste_eventstream_publish_write_seconds_bucket{topic="p.orders",le="+Inf"} 2',
    'posthaste_eventstream_publish_write_seconds_sum{topic="p.orders"} 0.04',
    'posthaste_eventstream_publish_buffered_events 3',
    'posthaste_eventstream_consumed_total{topic="p.orders",group="p.mail",outcome="handled"} 1',
    'posthaste_eventstream_consumed_total{topic="p.orders",group="p.mail",outcome="skipped"} 1',
    'posthaste_eventstream_consumed_bytes_total{topic="p.orders",group="p.mail"} 10',
    'posthaste_eventstream_handler_failures_total{topic="p.orders",group="p.mail"} 1',
    'posthaste_eventstream_commit_failures_total{topic="p.orders",group="p.mail"} 1',
    'posthaste_eventstream_interruptions_total{topic="p.orders",group="p.mail"} 1',
    'posthaste_eventstream_lost_records_total{topic="p.orders",group="p.mail"} 4',
    'posthaste_eventstream_partitions_blocked{topic="p.orders",group="p.mail"} 1',
    'posthaste_eventstream_consume_delay_seconds_bucket{topic="p.orders",group="p.mail",le="0.03"} 2',
    'posthaste_eventstream_consumer_lag{topic="p.orders",group="p.mail",partition="0"} 2',
  ])('has %s', (line) => {
    expect(textOf('posthaste').split('\n')).toContain(line);
  });

  it.each([
    'ab_eventstream_kafka_writer_writes{topic="p.orders"} 3',
    'ab_eventstream_kafka_writer_messages{topic="p.orders"} 6',
    'ab_eventstream_kafka_writer_message_bytes{topic="p.orders"} 400',
    'ab_eventstream_kafka_writer_errors{topic="p.orders"} 1',
    'ab_eventstream_kafka_writer_write_seconds{topic="p.orders",quantile="0.1"} 0.01',
    'ab_eventstream_kafka_writer_write_seconds{topic="p.orders",quantile="0.5"} 0.02',
    'ab_eventstream_kafka_writer_write_seconds{topic="p.orders",quantile="0.9"} 0.03',
    'ab_eventstream_kafka_writer_batch_size_summary_count{topic="p.orders"} 2',
    'ab_eventstream_kafka_reader_messages{topic="orders",event="placed"} 2',
    'ab_eventstream_kafka_reader_message_bytes{topic="orders",event="placed"} 10',
    'ab_eventstream_kafka_reader_error{topic="orders",event="placed"} 3',
    'ab_eventstream_kafka_reader_offset{topic="orders",event="placed"} 10',
    'ab_eventstream_kafka_reader_lag{topic="orders",event="placed"} 2',
  ])('has, under the names of the Go SDK, %s', (line) => {
    expect(textOf('original').split('\n')).toContain(line);
  });

  it('writes help and type before the series and escapes label values', () => {
    const samples = [{ labels: { topic: 'a"b\\c\nd' }, value: Number.POSITIVE_INFINITY }];
    expect(toPrometheusText([{ name: 'm', help: 'Help.', type: 'gauge', samples }])).toBe(
      '# HELP m Help.\n# TYPE m gauge\nm{topic="a\\"b\\\\c\\nd"} +Inf\n',
    );
  });
});
