import { type CallbackEventName, callbackEventNames } from '@posthaste/contracts';
import type { SettingFault, SettingValues } from './definition.js';

/** Settings of callbacks for the processes that accept or deliver them; the same in all of them. */
export const callbackSettings = {
  attemptTimeoutMs: {
    name: 'POSTHASTE_CALLBACK_TIMEOUT',
    type: 'duration',
    min: 100,
    max: 600_000,
    default: 15_000,
    meaning:
      'Longest time of one attempt (name resolution, connection, TLS, headers and body) when the caller sets none.',
  },
  leaseMs: {
    name: 'POSTHASTE_CALLBACK_LEASE',
    type: 'duration',
    min: 1_000,
    max: 3_600_000,
    default: 30_000,
    meaning:
      'Time for which a worker holds a callback before another worker may take it over. Must be at least 2s above POSTHASTE_CALLBACK_TIMEOUT. A caller may set a timeout of up to this value minus 2s.',
  },
  maxAttempts: {
    name: 'POSTHASTE_MAX_ATTEMPTS',
    type: 'integer',
    min: 1,
    max: 10_000_001,
    unit: 'attempts',
    default: 10_000,
    meaning:
      'Most attempts that the retry policy of one callback may ask for: the first one and all retries of all phases. A policy with more is refused.',
  },
  minRetryDelayMs: {
    name: 'POSTHASTE_MIN_RETRY_DELAY',
    type: 'duration',
    min: 0,
    max: 3_600_000,
    default: 1_000,
    meaning:
      'Shortest wait before a retry. A policy with shorter delays is accepted and shown as given, but its retries wait longer: the first one at least 10ms, and each further one twice as long as the one before, up to this. 0 turns this off.',
  },
  maxReplays: {
    name: 'POSTHASTE_MAX_REPLAYS',
    type: 'integer',
    min: 1,
    max: 10_000,
    unit: 'replays',
    default: 10,
    meaning:
      'Replays of callbacks that may run at the same time for one application, and for all applications together. Further ones are refused until one ends. The same number of replays of dead letters may run for one application.',
  },
  callbackEvents: {
    name: 'POSTHASTE_CALLBACK_EVENTS',
    type: 'choices',
    choices: ['all', ...callbackEventNames] as readonly ('all' | CallbackEventName)[],
    default: [],
    meaning:
      'Events about callbacks that are always written to the event log, for example for consumers in Kafka. `callback.failed` and `endpoint.disabled` are always written; the others are also written while a subscription asks for them.',
  },
  mailRecipients: {
    name: 'POSTHASTE_MAIL_RECIPIENTS',
    type: 'list',
    items: 'recipient',
    default: [],
    meaning:
      'Addresses for notification mails that need no confirmation: `ops@example.com`, or `*@example.com` for all of a domain (not of its subdomains). Those that a caller for all applications names need none either; all others confirm by a link.',
  },
  allowLoopback: {
    name: 'POSTHASTE_ALLOW_LOOPBACK',
    type: 'boolean',
    meaning:
      'Allows callbacks to this machine itself. Not set: true in the standalone, false in gateway and worker.',
  },
  allowedNetworks: {
    name: 'POSTHASTE_ALLOWED_NETWORKS',
    type: 'list',
    items: 'network',
    default: [],
    meaning:
      'Private networks that callbacks may go to, such as 10.1.0.0/16. All other private, local and reserved addresses are refused.',
  },
} as const;

/** Time between the end of the longest attempt and the end of its lease, in ms: enough to write the result. */
export const leaseMarginMs = 2_000;

/** Checks the rules between settings of callbacks, for `check` of `readSettings`. */
export function callbackFaults(
  values: Partial<SettingValues<typeof callbackSettings>>,
): SettingFault[] {
  const { attemptTimeoutMs, leaseMs } = values;
  if (attemptTimeoutMs === undefined || leaseMs === undefined) return [];
  if (attemptTimeoutMs + leaseMarginMs <= leaseMs) return [];
  return [
    {
      name: 'POSTHASTE_CALLBACK_LEASE',
      message: `POSTHASTE_CALLBACK_LEASE must be at least ${leaseMarginMs} ms above POSTHASTE_CALLBACK_TIMEOUT, or leases would expire while attempts are still running.`,
    },
  ];
}

/**
 * Returns the setting that allows callbacks to an address of a special range, for the message of a
 * refusal.
 */
export function addressAdvice(range: string): string {
  return range === 'loopback'
    ? 'POSTHASTE_ALLOW_LOOPBACK=true allows it'
    : 'POSTHASTE_ALLOWED_NETWORKS can allow its network';
}
