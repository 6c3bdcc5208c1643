import type { ConsumerStatus } from '../consume/group-consumer.js';
import type { ConsumerName } from '../consume/observer.js';
import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { MetricFamily } from './metric-family.js';
import { toOriginalFamilies } from './original-names.js';
import { toOwnFamilies } from './own-names.js';
import type { TopicStats } from './publish-stats.js';

/** `posthaste`: `posthaste_eventstream_*`. `original`: `ab_eventstream_kafka_*`, as the Go SDK. */
export type MetricNames = 'posthaste' | 'original';

/** All that metrics are made of, at one moment. */
export interface StreamMetricsSource {
  /** By topic, as on the wire. */
  readonly published: ReadonlyMap<string, TopicStats>;
  readonly buffered: { readonly records: number; readonly bytes: number };
  readonly consumed: readonly ConsumerStats[];
  /** Of the consumers at this moment. */
  readonly statuses: readonly ConsumerStatus[];
  /** Of the groups that this client is in. */
  readonly lags: readonly GroupLag[];
  /** Labels of a consumer in the original's metrics: no prefix, no group. */
  readonly toReader: (name: ConsumerName) => { readonly topic: string; readonly event: string };
}

export function toMetricFamilies(
  source: StreamMetricsSource,
  names: MetricNames,
): readonly MetricFamily[] {
  return names === 'original' ? toOriginalFamilies(source) : toOwnFamilies(source);
}
