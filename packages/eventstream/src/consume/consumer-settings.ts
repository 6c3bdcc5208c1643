import { PlatformError } from '@posthaste/contracts';
import { offsetEnd } from '../driver.js';
import type { ConsumerSettings } from './registration.js';

/** Settings of a consumer with the defaults filled in. */
export interface ResolvedSettings {
  readonly groupInstanceId: string | undefined;
  readonly startOffset: bigint;
  readonly commit: 'batched' | 'each';
  readonly commitIntervalMs: number;
  readonly concurrency: number;
  readonly ordering: 'key' | 'none';
  readonly maxInHand: number;
  readonly drainMs: number;
}

/** Fills in the defaults, which only this file knows. @throws PlatformError `OPTION_INVALID` */
export function resolveSettings(settings: ConsumerSettings): ResolvedSettings {
  return {
    groupInstanceId: settings.groupInstanceId,
    startOffset: settings.startOffset ?? offsetEnd,
    commit: settings.commit ?? 'batched',
    commitIntervalMs: atLeast('commitIntervalMs', settings.commitIntervalMs ?? 250, 0),
    concurrency: atLeast('concurrency', settings.concurrency ?? 1, 1),
    ordering: settings.ordering ?? 'key',
    maxInHand: atLeast('maxInHand', settings.maxInHand ?? 1_000, 1),
    drainMs: atLeast('drainMs', settings.drainMs ?? 20_000, 0),
  };
}

/**
 * Returns the first setting in which a new registration differs from the consumer that it joins.
 * Settings that it leaves open do not differ.
 */
export function findConflict(
  present: ResolvedSettings,
  wanted: ConsumerSettings,
): keyof ConsumerSettings | undefined {
  const names = Object.keys(present) as (keyof ResolvedSettings)[];
  return names.find((name) => wanted[name] !== undefined && wanted[name] !== present[name]);
}

/** Checks a whole number. @throws PlatformError `OPTION_INVALID` */
export function atLeast(name: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw new PlatformError(
    'OPTION_INVALID',
    `${name} is ${value}; use a whole number of ${min} or more`,
  );
}
