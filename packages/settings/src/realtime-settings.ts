import type { SettingFault, SettingValues } from './definition.js';
import type { KafkaSettingValues } from './kafka-settings.js';

/** Settings of realtime channels: AppSync Events on the gateway. */
export const realtimeSettings = {
  realtimeConfig: {
    name: 'POSTHASTE_REALTIME_CONFIG',
    type: 'string',
    meaning:
      'JSON file with namespaces, and with issuers of tokens, IAM keys and webhook authorizers, each of exactly one application. Not set: namespaces of the database only, and API keys and tokens of the platform only.',
  },
  realtimeKeepAliveMs: {
    name: 'POSTHASTE_REALTIME_KEEP_ALIVE',
    type: 'duration',
    min: 1_000,
    max: 240_000,
    default: 60_000,
    meaning:
      'Time between two keep-alive messages on a WebSocket connection, and between two pings: a peer that answers none is disconnected after twice this time. Set it shorter than the idle timeout of the load balancer in front.',
  },
  realtimeDrainMs: {
    name: 'POSTHASTE_REALTIME_DRAIN',
    type: 'duration',
    min: 0,
    max: 3_600_000,
    default: 30_000,
    meaning:
      'Time after SIGTERM over which WebSocket connections are closed, evenly, so that their clients do not come back all at once. It is shorter where there are fewer than 20 connections for each of its seconds. A gateway with many connections stops 6 seconds after it at the latest, also when that is later than POSTHASTE_STOP_TIMEOUT: let your platform wait that long before it kills a process.',
  },
  realtimeFanout: {
    name: 'POSTHASTE_REALTIME_FANOUT',
    type: 'choice',
    choices: ['postgres', 'kafka'],
    default: 'postgres',
    meaning:
      'Way on which gateways pass channel events on to one another. `kafka` needs KAFKA_BROKERS: events go over the topic `posthaste.realtime` in Kafka, behind POSTHASTE_KAFKA_PREFIX, and those of durable namespaces are still stored in the event log first. Use the same value in all gateways.',
  },
} as const;

/** Checks the rules between settings of realtime and of Kafka, for `check` of `readSettings`. */
export function realtimeFaults({
  realtimeFanout,
  kafkaBrokers,
}: Partial<SettingValues<typeof realtimeSettings> & KafkaSettingValues>): SettingFault[] {
  if (realtimeFanout !== 'kafka' || kafkaBrokers === undefined || kafkaBrokers.length > 0)
    return [];
  const message = 'POSTHASTE_REALTIME_FANOUT is "kafka", but KAFKA_BROKERS is not set.';
  return [{ name: 'POSTHASTE_REALTIME_FANOUT', message }];
}
