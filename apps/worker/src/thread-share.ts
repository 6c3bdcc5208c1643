import type { EndpointDirectory, EndpointSettings } from '@posthaste/callbacks';
import type { WorkerConfig } from './config.js';

/** One of the delivery threads that have the limits of a worker process together. */
export interface ThreadShare {
  /** From 0 to below `count`. */
  readonly index: number;
  /** Threads in all. */
  readonly count: number;
}

/** The only thread of its process. */
export const wholeShare: ThreadShare = { index: 0, count: 1 };

/**
 * A thread's part of what may be in flight: the parts add up to the limit, unless there are more
 * threads than that. Each has at least 1, or what it claims could never go out.
 */
export function shareOf(limit: number, { index, count }: ThreadShare): number {
  const remainder = limit % count;
  return Math.max(1, Math.floor(limit / count) + (index < remainder ? 1 : 0));
}

/** The worker's own limits. */
export function shareOfConfig(config: WorkerConfig, share: ThreadShare): WorkerConfig {
  return {
    ...config,
    maxInFlight: shareOf(config.maxInFlight, share),
    maxInFlightPerOrigin: shareOf(config.maxInFlightPerOrigin, share),
    maxInFlightPerApplication: shareOf(config.maxInFlightPerApplication, share),
  };
}

/** The limits of endpoints. A rate may be a fraction: one every few seconds. */
export function shareOfEndpoints(
  endpoints: EndpointDirectory,
  share: ThreadShare,
): EndpointDirectory {
  if (share.count === 1) return endpoints;
  return {
    async settings(ids) {
      const settings = await endpoints.settings(ids);
      return new Map(Array.from(settings, ([id, one]) => [id, shareOfSettings(one, share)]));
    },
    forget: (id) => endpoints.forget(id),
  };
}

function shareOfSettings(settings: EndpointSettings, share: ThreadShare): EndpointSettings {
  const { maxConcurrency, ratePerSecond } = settings;
  return {
    ...settings,
    maxConcurrency: maxConcurrency === undefined ? undefined : shareOf(maxConcurrency, share),
    ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond / share.count,
  };
}
