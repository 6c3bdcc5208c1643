import type { ConsumerStatus } from '../consume/group-consumer.js';
import type { ConsumerName } from '../consume/observer.js';
import type { GroupLag } from '../driver.js';
import type { ConsumerStats } from './consume-stats.js';
import type { TopicStats } from './publish-stats.js';

/** Figures of a client at one moment, from which its metrics are made. */
export interface StreamMetricsSource {
  /** By topic, as on the wire. */
  readonly published: ReadonlyMap<string, TopicStats>;
  readonly buffered: { readonly records: number; readonly bytes: number };
  readonly consumed: readonly ConsumerStats[];
  /** Present states of the consumers. */
  readonly statuses: readonly ConsumerStatus[];
  /** Lag of the groups that this client is in. */
  readonly lags: readonly GroupLag[];
  /** Returns a consumer's labels in the Go SDK's metrics: no prefix, no group. */
  readonly toReader: (name: ConsumerName) => { readonly topic: string; readonly event: string };
}

/**
 * Names of a client's metrics. `posthaste`: `posthaste_eventstream_*`; `original`:
 * `ab_eventstream_kafka_*`, as in the Go SDK.
 */
export type MetricNames = 'posthaste' | 'original';
