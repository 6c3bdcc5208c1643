import {
  applicationFaults,
  applicationSettings,
  callbackFaults,
  callbackSettings,
  type Environment,
  eventSettings,
  gatewaySettings,
  type KafkaSettingValues,
  kafkaFaults,
  kafkaSettings,
  platformSettings,
  readSettings,
  realtimeFaults,
  realtimeSettings,
  type SettingFault,
  type SettingValues,
  signInSettings,
  toKafkaConnection,
  workerSettings,
} from '@posthaste/settings';
import { isLoopback } from './access/local-caller.js';
import type { CallbackRoutesConfig } from './callback-routes.js';
import type { EventRoutesConfig } from './event-routes.js';
import type { PeopleRoutesConfig } from './people-routes.js';
import type { RealtimeConfig } from './realtime/realtime.js';
import { readRealtimeFile } from './realtime/realtime-file.js';
import { signInFaults } from './sign-in-faults.js';

type GatewaySettingValues = SettingValues<typeof gatewaySettings> &
  SettingValues<typeof applicationSettings>;

/** Settings of the gateway's server. Each is described in @posthaste/settings. */
export interface GatewayConfig extends Omit<GatewaySettingValues, 'access'> {
  /** Default: `loopback` if the server listens on a loopback address, else `keys`. */
  readonly access: 'loopback' | 'keys';
}

/** Configuration of the gateway as a process of its own. */
export interface GatewayProcessConfig {
  readonly gateway: GatewayConfig;
  readonly callbacks: CallbackRoutesConfig;
  readonly people: PeopleRoutesConfig;
  readonly events: EventRoutesConfig;
  readonly realtime: RealtimeConfig;
  readonly callbackEvents: SettingValues<typeof callbackSettings>['callbackEvents'];
  readonly platform: SettingValues<typeof platformSettings> & { readonly databaseUrl: string };
}

/** Reads the environment. @throws PlatformError `CONFIG_INVALID` with every fault */
export function readGatewayConfig(environment: Environment): GatewayProcessConfig {
  const settings = {
    ...platformSettings,
    ...gatewaySettings,
    ...signInSettings,
    ...applicationSettings,
    ...callbackSettings,
    ...realtimeSettings,
    ...kafkaSettings,
    // Settings of other parts that decide how long Idempotency-Keys and events are kept.
    idempotencyMs: workerSettings.idempotencyMs,
    eventRetentionMs: eventSettings.eventRetentionMs,
    // Settings of the event log that decide who sees which topics and groups.
    topicApplications: eventSettings.topicApplications,
    groupApplications: eventSettings.groupApplications,
    // The embedded database belongs to one process, and the gateway is one of several.
    databaseUrl: { ...platformSettings.databaseUrl, required: true },
    secretKey: { ...platformSettings.secretKey, required: true },
  } as const;
  const values = readSettings(environment, settings, {
    check: (found) => [
      ...gatewayFaults(found),
      ...signInFaults(found),
      ...callbackFaults(found),
      ...applicationFaults(found),
      ...kafkaFaults(found),
      ...realtimeFaults(found),
    ],
  });
  const gateway = toGatewayConfig(values);
  return {
    gateway,
    callbacks: { ...values, allowLoopback: values.allowLoopback ?? false },
    people: { ...values, access: gateway.access },
    events: values,
    realtime: toRealtimeConfig(values),
    callbackEvents: values.callbackEvents,
    platform: values,
  };
}

type RealtimeValues = SettingValues<typeof realtimeSettings> &
  KafkaSettingValues &
  Omit<RealtimeConfig, 'file' | 'fanOut'>;

/** Reads the file of realtime. @throws PlatformError `CONFIG_INVALID` */
export function toRealtimeConfig({ realtimeConfig, ...values }: RealtimeValues): RealtimeConfig {
  const kafka = { connection: toKafkaConnection(values), prefix: values.kafkaPrefix };
  const fanOut = values.realtimeFanout === 'kafka' ? kafka : undefined;
  return { ...values, file: readRealtimeFile(realtimeConfig, values.topicApplications), fanOut };
}

/** Checks the rules between settings of the gateway, for `check` of `readSettings`. */
export function gatewayFaults(values: Partial<GatewaySettingValues>): SettingFault[] {
  const faults: SettingFault[] = [];
  const { host, access, headersTimeoutMs, requestTimeoutMs } = values;
  if (access === 'loopback' && host !== undefined && !isLoopback(host)) {
    faults.push({
      name: 'POSTHASTE_ACCESS',
      message: `POSTHASTE_ACCESS is "loopback", but POSTHASTE_HOST ${host} can be reached from other machines. Listen on 127.0.0.1, or set POSTHASTE_ACCESS=keys and create a key.`,
    });
  }
  if (
    headersTimeoutMs !== undefined &&
    requestTimeoutMs !== undefined &&
    headersTimeoutMs > requestTimeoutMs
  ) {
    faults.push({
      name: 'POSTHASTE_HEADERS_TIMEOUT',
      message:
        'POSTHASTE_HEADERS_TIMEOUT is above POSTHASTE_REQUEST_TIMEOUT, which covers the headers too.',
    });
  }
  return faults;
}

/** Fills in `access` where it is not set. `values` must have passed `gatewayFaults`. */
export function toGatewayConfig(values: GatewaySettingValues): GatewayConfig {
  return { ...values, access: values.access ?? (isLoopback(values.host) ? 'loopback' : 'keys') };
}
