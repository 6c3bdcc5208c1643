import {
  callbackSettings,
  type Environment,
  platformSettings,
  readSettings,
  type SettingFault,
  type SettingValues,
  workerSettings,
} from '@posthaste/settings';

/** What is left of a lease when its attempt's time is over: enough to write the result. */
export const leaseMarginMs = 2_000;

/** What a worker is built from. Each setting is described in @posthaste/settings. */
export type WorkerConfig = SettingValues<typeof workerSettings> &
  Omit<SettingValues<typeof callbackSettings>, 'allowLoopback'> & {
    readonly allowLoopback: boolean;
    readonly secretKey: Uint8Array;
    readonly stopTimeoutMs: number;
  };

/** What the worker's own process reads. */
export interface WorkerProcessConfig {
  readonly worker: WorkerConfig;
  readonly platform: SettingValues<typeof platformSettings> & { readonly databaseUrl: string };
}

/** @throws PlatformError `CONFIG_INVALID` with every fault */
export function readWorkerConfig(environment: Environment): WorkerProcessConfig {
  const settings = {
    ...platformSettings,
    ...callbackSettings,
    ...workerSettings,
    // The embedded database belongs to one process, and this is one of several.
    databaseUrl: { ...platformSettings.databaseUrl, required: true },
    secretKey: { ...platformSettings.secretKey, required: true },
  } as const;
  const values = readSettings(environment, settings, {
    check: (found) => [...callbackFaults(found), ...workerFaults(found)],
  });
  return {
    worker: { ...values, allowLoopback: values.allowLoopback ?? false },
    platform: values,
  };
}

/** The rules between settings of callbacks, for `check` of `readSettings`. */
export function callbackFaults(
  values: Partial<SettingValues<typeof callbackSettings>>,
): SettingFault[] {
  const { attemptTimeoutMs, leaseMs } = values;
  if (attemptTimeoutMs === undefined || leaseMs === undefined) return [];
  if (attemptTimeoutMs + leaseMarginMs <= leaseMs) return [];
  return [
    {
      name: 'POSTHASTE_CALLBACK_LEASE',
      message: `POSTHASTE_CALLBACK_LEASE must be at least ${leaseMarginMs} ms above POSTHASTE_CALLBACK_TIMEOUT, or leases would run out under attempts that are still going on.`,
    },
  ];
}

/** The rules between settings of the worker, for `check` of `readSettings`. */
export function workerFaults(
  values: Partial<SettingValues<typeof workerSettings>>,
): SettingFault[] {
  const { maxInFlight, maxInFlightPerOrigin, maxInFlightPerApplication } = values;
  const faults: SettingFault[] = [];
  const below = (name: string, share: number | undefined): void => {
    if (maxInFlight === undefined || share === undefined || share <= maxInFlight) return;
    faults.push({ name, message: `${name} is above POSTHASTE_WORKER_CONCURRENCY.` });
  };
  below('POSTHASTE_WORKER_CONCURRENCY_PER_HOST', maxInFlightPerOrigin);
  below('POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION', maxInFlightPerApplication);
  return faults;
}
