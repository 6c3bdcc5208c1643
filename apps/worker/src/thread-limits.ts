import type { EndpointDirectory, EndpointSettings } from '@posthaste/callbacks';
import type { WorkerConfig } from './config.js';

/** Position of a delivery thread among the threads that divide the limits of a worker process. */
export interface ThreadPosition {
  /** From 0 to `count - 1`. */
  readonly index: number;
  /** Number of threads. */
  readonly count: number;
}

/** Position of the only thread of its process. */
export const onlyThread: ThreadPosition = { index: 0, count: 1 };

/**
 * Returns a thread's part of a limit. The parts add up to the limit, unless there are more threads
 * than that: each thread gets at least 1, or the deliveries that it leases could never be sent.
 */
export function divideLimit(limit: number, { index, count }: ThreadPosition): number {
  const remainder = limit % count;
  return Math.max(1, Math.floor(limit / count) + (index < remainder ? 1 : 0));
}

/** Returns the configuration with a thread's part of the worker's own limits. */
export function divideConfig(config: WorkerConfig, thread: ThreadPosition): WorkerConfig {
  return {
    ...config,
    maxInFlight: divideLimit(config.maxInFlight, thread),
    maxInFlightPerOrigin: divideLimit(config.maxInFlightPerOrigin, thread),
    maxInFlightPerApplication: divideLimit(config.maxInFlightPerApplication, thread),
  };
}

/**
 * Wraps a directory so that it gives a thread's part of the limits of endpoints. A rate may become
 * a fraction: one delivery every few seconds.
 */
export function divideEndpointLimits(
  endpoints: EndpointDirectory,
  thread: ThreadPosition,
): EndpointDirectory {
  if (thread.count === 1) return endpoints;
  return {
    async settings(ids) {
      const settings = await endpoints.settings(ids);
      return new Map(Array.from(settings, ([id, each]) => [id, divideSettings(each, thread)]));
    },
    forget: (id) => endpoints.forget(id),
  };
}

function divideSettings(settings: EndpointSettings, thread: ThreadPosition): EndpointSettings {
  const { maxConcurrency, ratePerSecond } = settings;
  return {
    ...settings,
    maxConcurrency: maxConcurrency === undefined ? undefined : divideLimit(maxConcurrency, thread),
    ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond / thread.count,
  };
}
