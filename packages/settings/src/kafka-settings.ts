import type { SettingFault, SettingValues } from './definition.js';

/** Settings of the connection to Kafka. */
export const kafkaSettings = {
  kafkaBrokers: {
    name: 'KAFKA_BROKERS',
    type: 'list',
    items: 'address',
    default: [],
    meaning:
      'Kafka brokers. If set, workers publish every event of the event log to Kafka, starting with the oldest event in the log. Not set: nothing is published to Kafka.',
  },
  kafkaPrefix: {
    name: 'POSTHASTE_KAFKA_PREFIX',
    type: 'string',
    default: '',
    meaning:
      'Prefix of topic names in Kafka, followed by a dot: with the prefix shop, events of the topic orders go to shop.orders. Empty: topics have the same name in Kafka.',
  },
  kafkaTls: {
    name: 'POSTHASTE_KAFKA_TLS',
    type: 'boolean',
    default: false,
    meaning:
      'Connects to brokers over TLS. Setting POSTHASTE_KAFKA_CA or POSTHASTE_KAFKA_CERTIFICATE turns it on too.',
  },
  kafkaCa: {
    name: 'POSTHASTE_KAFKA_CA',
    type: 'string',
    secret: true,
    meaning:
      'Certificates (PEM) of the authorities that sign the certificates of the brokers. Not set: the authorities that Node trusts.',
  },
  kafkaCertificate: {
    name: 'POSTHASTE_KAFKA_CERTIFICATE',
    type: 'string',
    secret: true,
    meaning:
      'Certificate chain and private key (PEM) that is presented to brokers that require client certificates.',
  },
  kafkaMechanism: {
    name: 'POSTHASTE_KAFKA_SASL_MECHANISM',
    type: 'choice',
    choices: ['plain', 'scram-sha-256', 'scram-sha-512'],
    meaning: 'SASL mechanism of the authentication to Kafka. Not set: no authentication.',
  },
  kafkaUsername: {
    name: 'POSTHASTE_KAFKA_USERNAME',
    type: 'string',
    meaning: 'User name for POSTHASTE_KAFKA_SASL_MECHANISM.',
  },
  kafkaPassword: {
    name: 'POSTHASTE_KAFKA_PASSWORD',
    type: 'string',
    secret: true,
    meaning: 'Password for POSTHASTE_KAFKA_SASL_MECHANISM.',
  },
} as const;

/** Values of the settings of Kafka. */
export type KafkaSettingValues = SettingValues<typeof kafkaSettings>;

/** Options by which a Kafka driver connects. */
export interface KafkaConnection {
  readonly brokers: readonly string[];
  /** True for TLS with the authorities that Node trusts, or TLS options of Node. */
  readonly tls: boolean | { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: NonNullable<KafkaSettingValues['kafkaMechanism']>;
    readonly username: string;
    readonly password: string;
  };
}

/** Converts settings to options of a Kafka driver. */
export function toKafkaConnection(values: KafkaSettingValues): KafkaConnection {
  const { kafkaBrokers: brokers, kafkaMechanism: mechanism } = values;
  const { kafkaUsername: username = '', kafkaPassword: password = '' } = values;
  const tls = toTls(values);
  return mechanism === undefined
    ? { brokers, tls }
    : { brokers, tls, sasl: { mechanism, username, password } };
}

function toTls({
  kafkaTls,
  kafkaCa: ca,
  kafkaCertificate: certificate,
}: KafkaSettingValues): KafkaConnection['tls'] {
  if (ca === undefined && certificate === undefined) return kafkaTls;
  return {
    ...(ca === undefined ? {} : { ca }),
    // One PEM holds both; each option uses the part that it needs.
    ...(certificate === undefined ? {} : { cert: certificate, key: certificate }),
  };
}

/** At most 100 characters: Kafka allows 249 in all, and the topic's own name follows. */
const legalPrefix = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99})?$/;
const pem = /-----BEGIN [A-Z0-9 ]+-----/;

/** Checks the rules between settings of Kafka, for `check` of `readSettings`. */
export function kafkaFaults(values: Partial<KafkaSettingValues>): SettingFault[] {
  const faults: SettingFault[] = [];
  const fault = (name: string, message: string): void => {
    faults.push({ name, message: `${name} ${message}` });
  };
  const { kafkaPrefix = '', kafkaCa, kafkaCertificate } = values;
  if (!legalPrefix.test(kafkaPrefix)) {
    const rule =
      'at most 100 letters, digits, dots, underscores and hyphens, and no dot at its start';
    fault('POSTHASTE_KAFKA_PREFIX', `is ${JSON.stringify(kafkaPrefix)}; it may have ${rule}.`);
  }
  if (kafkaCa !== undefined && !pem.test(kafkaCa)) {
    fault('POSTHASTE_KAFKA_CA', 'does not hold a certificate in PEM format.');
  }
  if (kafkaCertificate !== undefined && !/-----BEGIN [A-Z ]*KEY-----/.test(kafkaCertificate)) {
    fault(
      'POSTHASTE_KAFKA_CERTIFICATE',
      'does not hold a certificate and a private key in PEM format.',
    );
  }
  const { kafkaMechanism, kafkaUsername, kafkaPassword } = values;
  const isNamed = kafkaUsername !== undefined && kafkaPassword !== undefined;
  if (kafkaMechanism !== undefined && !isNamed) {
    const needed = 'needs POSTHASTE_KAFKA_USERNAME and POSTHASTE_KAFKA_PASSWORD.';
    fault('POSTHASTE_KAFKA_SASL_MECHANISM', needed);
  }
  if (kafkaMechanism === undefined && (kafkaUsername ?? kafkaPassword) !== undefined) {
    fault(
      'POSTHASTE_KAFKA_SASL_MECHANISM',
      'is not set, but POSTHASTE_KAFKA_USERNAME or POSTHASTE_KAFKA_PASSWORD is.',
    );
  }
  return faults;
}
