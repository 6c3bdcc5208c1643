import {
  type CallbackRoutesConfig,
  type EventRoutesConfig,
  type GatewayConfig,
  gatewayFaults,
  type PeopleRoutesConfig,
  type RealtimeConfig,
  signInFaults,
  stopLimitMs,
  toGatewayConfig,
  toRealtimeConfig,
} from '@posthaste/gateway';
import type { RunnableConfig } from '@posthaste/service';
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
  realtimeFaults,
  realtimeSettings,
  type SettingValues,
  signInSettings,
  workerSettings,
} from '@posthaste/settings';
import { type WorkerConfig, workerFaults } from '@posthaste/worker';

/** Configuration of the standalone: the settings of gateway and worker. */
export interface StandaloneConfig extends RunnableConfig {
  readonly platform: SettingValues<typeof platformSettings>;
  readonly gateway: GatewayConfig;
  readonly callbacks: Omit<CallbackRoutesConfig, 'secretKey'>;
  readonly events: EventRoutesConfig;
  readonly people: Omit<PeopleRoutesConfig, 'secretKey'>;
  readonly realtime: RealtimeConfig;
  readonly worker: Omit<WorkerConfig, 'secretKey'>;
}

/** Reads the configuration. @throws PlatformError `CONFIG_INVALID` with every fault */
export function readStandaloneConfig(environment: Environment): StandaloneConfig {
  const settings = {
    ...platformSettings,
    ...gatewaySettings,
    ...signInSettings,
    ...applicationSettings,
    ...callbackSettings,
    ...eventSettings,
    ...realtimeSettings,
    ...workerSettings,
  } as const;
  const values = readSettings(environment, settings, {
    check: (found) => [
      ...gatewayFaults(found),
      ...signInFaults(found),
      ...callbackFaults(found),
      ...eventFaults(found),
      ...workerFaults(found),
      ...realtimeFaults(found),
    ],
  });
  // Someone who tries Posthaste out on one machine has the receiver there too.
  const allowLoopback = values.allowLoopback ?? true;
  const gateway = toGatewayConfig(values);
  const realtime = toRealtimeConfig(values);
  return {
    logLevel: values.logLevel,
    stopTimeoutMs: Math.max(values.stopTimeoutMs, stopLimitMs(realtime)),
    platform: values,
    gateway,
    callbacks: { ...values, allowLoopback },
    events: values,
    people: { ...values, access: gateway.access },
    realtime,
    worker: { ...values, allowLoopback },
  };
}
