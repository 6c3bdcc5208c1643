import { applicationSettings } from './application-settings.js';
import { callbackSettings } from './callback-settings.js';
import { commandSettings } from './command-settings.js';
import type { SettingDefinitions } from './definition.js';
import { eventSettings } from './event-settings.js';
import { gatewaySettings } from './gateway-settings.js';
import { platformSettings } from './platform-settings.js';
import { realtimeSettings } from './realtime-settings.js';
import { signInSettings } from './sign-in-settings.js';
import { workerSettings } from './worker-settings.js';

/** Section of docs/configuration.md: settings that belong together. */
export interface SettingSection {
  readonly title: string;
  /** Sentence under the title: the apps that read these settings. */
  readonly meaning: string;
  readonly settings: SettingDefinitions;
}

/**
 * Sections of all settings of the platform. Each app reads the tables that it needs, but accepts the
 * names of all tables, because apps are often started with the same environment.
 */
export const settingSections: readonly SettingSection[] = [
  {
    title: 'Platform',
    meaning: 'Read by the standalone, the gateway and the worker.',
    settings: platformSettings,
  },
  {
    title: 'Gateway',
    meaning: 'Read by the standalone and the gateway.',
    settings: gatewaySettings,
  },
  {
    title: 'Sign-in',
    meaning:
      'Read by the standalone and the gateway. Use the same values in all gateways. Without any, API keys can still have sessions on this machine.',
    settings: signInSettings,
  },
  {
    title: 'Limits of applications',
    meaning:
      'Read by the standalone, the gateway and the worker. Use the same values in all of them.',
    settings: applicationSettings,
  },
  {
    title: 'Callbacks',
    meaning:
      'Read by the standalone, the gateway and the worker. Use the same values in all of them.',
    settings: callbackSettings,
  },
  {
    title: 'Events',
    meaning: 'Read by the standalone and the worker. Use the same values in all workers.',
    settings: eventSettings,
  },
  {
    title: 'Realtime',
    meaning: 'Read by the standalone and the gateway. Use the same values in all gateways.',
    settings: realtimeSettings,
  },
  {
    title: 'Worker',
    meaning: 'Read by the standalone and the worker.',
    settings: workerSettings,
  },
  {
    title: 'Commands',
    meaning: 'Read by the commands that call a running gateway.',
    settings: commandSettings,
  },
];
