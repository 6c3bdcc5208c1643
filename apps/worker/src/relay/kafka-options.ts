import type { KafkaDriverOptions, KafkaLogger } from '@posthaste/eventstream';
import { type KafkaSettingValues, toKafkaConnection } from '@posthaste/settings';

/** Returns the options of the Kafka driver of the relay. */
export function toKafkaOptions(
  config: KafkaSettingValues,
  logger: KafkaLogger,
): KafkaDriverOptions {
  const connection = toKafkaConnection(config);
  return { ...connection, clientId: 'posthaste-relay', logMode: 'error', logger };
}
