import { PlatformError } from '@posthaste/contracts';

/** Limits of the work of filters. All are optional. */
export interface FilterLimitOptions {
  /**
   * Most steps that one filter may take for one event; a step is at most about 50 ns. A filter that
   * would take more is not matched. Default 1,000,000.
   */
  readonly maxWork?: number | undefined;
  /** Longest time of matching the large filters of one application with one event, in ms. Default 1,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Processor time in each second that the large filters of one application may use, in ms. It is not
   * limited while all subscriptions are of one application. Default 20.
   */
  readonly msPerSecond?: number | undefined;
}

/** Limits with their defaults. */
export type FilterLimits = { readonly [Key in keyof FilterLimitOptions]-?: number };

/** The only place that knows the defaults. @throws PlatformError `OPTION_INVALID` */
export function resolveFilterLimits(options: FilterLimitOptions = {}): FilterLimits {
  const { maxWork = 1_000_000, timeoutMs = 1_000, msPerSecond = 20 } = options;
  for (const [name, value] of Object.entries({ maxWork, timeoutMs, msPerSecond })) {
    if (value >= 1) continue;
    throw new PlatformError('OPTION_INVALID', `${name} is ${value}; it must be 1 or more`);
  }
  return { maxWork, timeoutMs, msPerSecond };
}
