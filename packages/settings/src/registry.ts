import { callbackSettings } from './callback-settings.js';
import { commandSettings } from './command-settings.js';
import type { SettingDefinitions } from './definition.js';
import { eventSettings } from './event-settings.js';
import { gatewaySettings } from './gateway-settings.js';
import { platformSettings } from './platform-settings.js';
import { workerSettings } from './worker-settings.js';

/** Settings that belong together, as docs/configuration.md groups them. */
export interface SettingSection {
  readonly title: string;
  /** A sentence under the title: who reads these. */
  readonly meaning: string;
  readonly settings: SettingDefinitions;
}

/**
 * Every setting of the platform. Apps pick the tables they read; all apps take all names for
 * known, because they are often started with one and the same environment.
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
    title: 'Callbacks',
    meaning: 'Read by the standalone, the gateway and the worker; give all of them the same.',
    settings: callbackSettings,
  },
  {
    title: 'Events',
    meaning: 'Read by the standalone and the worker; give all workers the same.',
    settings: eventSettings,
  },
  {
    title: 'Worker',
    meaning: 'Read by the standalone and the worker.',
    settings: workerSettings,
  },
  {
    title: 'Commands',
    meaning: 'Read by the commands that talk to a running gateway.',
    settings: commandSettings,
  },
];
