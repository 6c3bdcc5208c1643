import type { KafkaDriverOptions, KafkaLogger } from '@posthaste/eventstream';
import type { eventSettings, SettingValues } from '@posthaste/settings';

/** Converts settings to options of the Kafka driver. */
export function toKafkaOptions(
  config: SettingValues<typeof eventSettings>,
  logger: KafkaLogger,
): KafkaDriverOptions {
  const { kafkaBrokers: brokers, kafkaMechanism: mechanism } = config;
  const { kafkaUsername: username = '', kafkaPassword: password = '' } = config;
  return {
    brokers,
    clientId: 'posthaste-relay',
    tls: toTls(config),
    ...(mechanism === undefined ? {} : { sasl: { mechanism, username, password } }),
    logMode: 'error',
    logger,
  };
}

function toTls({
  kafkaTls,
  kafkaCa: ca,
  kafkaCertificate: certificate,
}: SettingValues<typeof eventSettings>): NonNullable<KafkaDriverOptions['tls']> {
  if (ca === undefined && certificate === undefined) return kafkaTls;
  return {
    ...(ca === undefined ? {} : { ca }),
    // One PEM holds both; each option uses the part that it needs.
    ...(certificate === undefined ? {} : { cert: certificate, key: certificate }),
  };
}
