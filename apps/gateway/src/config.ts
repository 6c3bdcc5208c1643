import {
  callbackFaults,
  callbackSettings,
  type Environment,
  eventSettings,
  gatewaySettings,
  platformSettings,
  readSettings,
  type SettingFault,
  type SettingValues,
  workerSettings,
} from '@posthaste/settings';
import type { CallbackRoutesConfig } from './callback-routes.js';
import type { EventRoutesConfig } from './event-routes.js';
import { isLoopback } from './http/local-caller.js';

type GatewaySettingValues = SettingValues<typeof gatewaySettings>;

/** What the gateway is built from. Each setting is described in @posthaste/settings. */
export interface GatewayConfig extends Omit<GatewaySettingValues, 'access'> {
  /** Decided by the address where the setting leaves it open. */
  readonly access: 'loopback' | 'keys';
}

/** What the gateway's own process reads. */
export interface GatewayProcessConfig {
  readonly gateway: GatewayConfig;
  readonly callbacks: CallbackRoutesConfig;
  readonly events: EventRoutesConfig;
  readonly callbackEvents: SettingValues<typeof callbackSettings>['callbackEvents'];
  readonly platform: SettingValues<typeof platformSettings> & { readonly databaseUrl: string };
}

/** @throws PlatformError `CONFIG_INVALID` with every fault */
export function readGatewayConfig(environment: Environment): GatewayProcessConfig {
  const settings = {
    ...platformSettings,
    ...gatewaySettings,
    ...callbackSettings,
    // What others do with events decides how long they are remembered here.
    idempotencyMs: workerSettings.idempotencyMs,
    eventRetentionMs: eventSettings.eventRetentionMs,
    // The embedded database belongs to one process, and this is one of several.
    databaseUrl: { ...platformSettings.databaseUrl, required: true },
    secretKey: { ...platformSettings.secretKey, required: true },
  } as const;
  const values = readSettings(environment, settings, {
    check: (found) => [...gatewayFaults(found), ...callbackFaults(found)],
  });
  return {
    gateway: toGatewayConfig(values),
    callbacks: { ...values, allowLoopback: values.allowLoopback ?? false },
    events: values,
    callbackEvents: values.callbackEvents,
    platform: values,
  };
}

/** The rules between settings of the gateway, for `check` of `readSettings`. */
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

/** Settings that have passed `gatewayFaults`, with what is left open decided. */
export function toGatewayConfig(values: GatewaySettingValues): GatewayConfig {
  return { ...values, access: values.access ?? (isLoopback(values.host) ? 'loopback' : 'keys') };
}
