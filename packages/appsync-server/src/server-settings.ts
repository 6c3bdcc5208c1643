import { isJsonObject } from '@posthaste/contracts';
import { authModesFault, type SettingFault } from './namespaces/namespace-settings.js';
import { limitFault } from './protocol/limits.js';
import type { RealtimeServerOptions } from './server-options.js';

/** Options of a server that are plain data, and that a configuration file may have. */
export type ServerSettings = Pick<
  RealtimeServerOptions,
  'limits' | 'connectionAuthModes' | 'defaultPublishAuthModes' | 'defaultSubscribeAuthModes'
>;

const checks: Readonly<Record<keyof ServerSettings, (value: unknown) => readonly string[]>> = {
  limits: limitFaults,
  connectionAuthModes: modesFaults,
  defaultPublishAuthModes: modesFaults,
  defaultSubscribeAuthModes: modesFaults,
};

/** Returns the faults of settings; none if they can be used. Members that are null are defaults. */
export function serverSettingFaults(settings: Readonly<Record<string, unknown>>): SettingFault[] {
  return Object.entries(settings).flatMap(([field, value]) => {
    if (!Object.hasOwn(checks, field)) return [{ field, message: 'is unknown' }];
    if (value === undefined || value === null) return [];
    return checks[field as keyof ServerSettings](value).map((message) => ({ field, message }));
  });
}

function limitFaults(value: unknown): readonly string[] {
  if (!isJsonObject(value)) return ['is not an object'];
  return Object.entries(value).flatMap(([name, limit]) => {
    const fault = limitFault(name, limit);
    return fault === undefined ? [] : [`has '${name}', which ${fault}`];
  });
}

function modesFaults(value: unknown): readonly string[] {
  const fault = authModesFault(value);
  return fault === undefined ? [] : [fault];
}
