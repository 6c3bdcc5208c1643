import { type CallbackEventName, callbackEventNames } from '@posthaste/contracts';
import type { SettingValues } from './definition.js';
import type { SettingFault } from './read.js';

/** What concerns callbacks wherever they are taken or delivered. The same in every process. */
export const callbackSettings = {
  attemptTimeoutMs: {
    name: 'POSTHASTE_CALLBACK_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 600_000,
    default: 15_000,
    meaning:
      'The total time of one attempt (name, connection, TLS, head and body) where the caller gives none.',
  },
  leaseMs: {
    name: 'POSTHASTE_CALLBACK_LEASE',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 30_000,
    meaning:
      'How long a worker holds a callback before another takes over. At least 2s above POSTHASTE_CALLBACK_TIMEOUT; a caller may ask for attempts of up to the lease less 2s.',
  },
  callbackEvents: {
    name: 'POSTHASTE_CALLBACK_EVENTS',
    type: 'choices',
    choices: ['all', ...callbackEventNames] as readonly ('all' | CallbackEventName)[],
    default: [],
    meaning:
      'Events about callbacks that are always written to the log, such as for consumers in Kafka. Those of failures and disabled endpoints are anyway, the others as long as a subscription asks for them.',
  },
  allowLoopback: {
    name: 'POSTHASTE_ALLOW_LOOPBACK',
    type: 'boolean',
    meaning:
      'Whether callbacks may go to this machine itself. Not set: yes in the standalone, no in gateway and worker.',
  },
  allowedNetworks: {
    name: 'POSTHASTE_ALLOWED_NETWORKS',
    type: 'list',
    items: 'network',
    default: [],
    meaning:
      'Networks inside that callbacks may go to all the same, such as 10.1.0.0/16. All other private, local and reserved addresses are refused.',
  },
} as const;

/** What is left of a lease when its attempt's time is over, in ms: enough to write the result. */
export const leaseMarginMs = 2_000;

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
