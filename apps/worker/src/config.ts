import {
  applicationSettings,
  callbackFaults,
  callbackSettings,
  type Environment,
  eventFaults,
  eventSettings,
  gatewaySettings,
  platformSettings,
  readSettings,
  type SettingFault,
  type SettingValues,
  workerSettings,
} from '@posthaste/settings';

/** Configuration of a worker. @posthaste/settings describes each setting. */
export type WorkerConfig = SettingValues<typeof workerSettings> &
  SettingValues<typeof eventSettings> &
  Pick<SettingValues<typeof gatewaySettings>, 'defaultApplication'> &
  SettingValues<typeof applicationSettings> &
  Omit<SettingValues<typeof callbackSettings>, 'allowLoopback'> & {
    readonly allowLoopback: boolean;
    readonly secretKey: Uint8Array;
    readonly stopTimeoutMs: number;
    readonly publicUrl?: string | undefined;
  };

/** Configuration of the worker as a process of its own. */
export interface WorkerProcessConfig {
  readonly worker: WorkerConfig;
  readonly platform: SettingValues<typeof platformSettings> & { readonly databaseUrl: string };
}

/** Reads the configuration of a worker process. @throws PlatformError `CONFIG_INVALID` with every fault */
export function readWorkerConfig(environment: Environment): WorkerProcessConfig {
  const settings = {
    ...platformSettings,
    ...callbackSettings,
    ...eventSettings,
    ...workerSettings,
    // A setting of the gateway that decides whose endpoints get records without an application.
    defaultApplication: gatewaySettings.defaultApplication,
    ...applicationSettings,
    // Only one process can open the embedded database, so workers need Postgres.
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

/** Checks the rules between settings of the worker, for `check` of `readSettings`. */
export function workerFaults(
  values: Partial<SettingValues<typeof workerSettings>>,
): SettingFault[] {
  const { maxInFlight, maxInFlightPerOrigin, maxInFlightPerApplication } = values;
  const faults: SettingFault[] = [];
  const checkPart = (name: string, part: number | undefined): void => {
    if (maxInFlight === undefined || part === undefined || part <= maxInFlight) return;
    const message = `${name} is ${part}, above POSTHASTE_WORKER_CONCURRENCY (${maxInFlight}).`;
    faults.push({ name, message });
  };
  checkPart('POSTHASTE_WORKER_CONCURRENCY_PER_HOST', maxInFlightPerOrigin);
  checkPart('POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION', maxInFlightPerApplication);
  return faults;
}
