import {
  callbackFaults,
  callbackSettings,
  type Environment,
  eventFaults,
  eventSettings,
  platformSettings,
  readSettings,
  type SettingFault,
  type SettingValues,
  workerSettings,
} from '@posthaste/settings';

/** What a worker is built from. Each setting is described in @posthaste/settings. */
export type WorkerConfig = SettingValues<typeof workerSettings> &
  SettingValues<typeof eventSettings> &
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
    ...eventSettings,
    ...workerSettings,
    // The embedded database belongs to one process, and this is one of several.
    databaseUrl: { ...platformSettings.databaseUrl, required: true },
    secretKey: { ...platformSettings.secretKey, required: true },
  } as const;
  const values = readSettings(environment, settings, {
    check: (found) => [...callbackFaults(found), ...eventFaults(found), ...workerFaults(found)],
  });
  return {
    worker: { ...values, allowLoopback: values.allowLoopback ?? false },
    platform: values,
  };
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
