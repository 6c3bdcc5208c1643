import type { MetricFamily } from './metric-family.js';
import type { StreamMetricsSource } from './metrics-source.js';
import { toOriginalFamilies } from './original-names.js';
import { toOwnFamilies } from './own-names.js';

/**
 * Names of a client's metrics. `posthaste`: `posthaste_eventstream_*`; `original`:
 * `ab_eventstream_kafka_*`, as in the Go SDK.
 */
export type MetricNames = 'posthaste' | 'original';

/** Converts the figures of a client to metrics. */
export function toMetricFamilies(
  source: StreamMetricsSource,
  names: MetricNames,
): readonly MetricFamily[] {
  return names === 'original' ? toOriginalFamilies(source) : toOwnFamilies(source);
}
