import type { SettingValues } from './definition.js';
import type { SettingFault } from './read.js';

/** What the worker does with the event log, and how it reaches Kafka. */
export const eventSettings = {
  eventRetentionMs: {
    name: 'POSTHASTE_EVENT_RETENTION',
    type: 'duration',
    min: 3_600_000,
    max: 315_360_000_000,
    default: 604_800_000,
    meaning:
      'Events are dropped from the log when they are older than this, whether consumers have read them or not. It may take a seventh of it longer, a day at most.',
  },
  kafkaBrokers: {
    name: 'KAFKA_BROKERS',
    type: 'list',
    items: 'address',
    default: [],
    meaning:
      'Kafka brokers. Set: workers publish every event of the log there, beginning with the oldest that is kept.',
  },
  kafkaPrefix: {
    name: 'POSTHASTE_KAFKA_PREFIX',
    type: 'string',
    default: '',
    meaning:
      'What topics in Kafka begin with, and a dot: with the prefix shop, events of the topic orders are in shop.orders. Empty: topics have the same name in Kafka.',
  },
  kafkaTls: {
    name: 'POSTHASTE_KAFKA_TLS',
    type: 'boolean',
    default: false,
    meaning:
      'Whether brokers are spoken to over TLS. POSTHASTE_KAFKA_CA and POSTHASTE_KAFKA_CERTIFICATE turn it on too.',
  },
  kafkaCa: {
    name: 'POSTHASTE_KAFKA_CA',
    type: 'string',
    secret: true,
    meaning:
      "Certificates (PEM) of the authorities by which the brokers' are checked. Not set: those that Node trusts.",
  },
  kafkaCertificate: {
    name: 'POSTHASTE_KAFKA_CERTIFICATE',
    type: 'string',
    secret: true,
    meaning: 'Certificate chain and key (PEM) that the worker shows to brokers which ask for it.',
  },
  kafkaMechanism: {
    name: 'POSTHASTE_KAFKA_SASL_MECHANISM',
    type: 'choice',
    choices: ['plain', 'scram-sha-256', 'scram-sha-512'],
    meaning: 'How the worker signs in to Kafka. Not set: not at all.',
  },
  kafkaUsername: {
    name: 'POSTHASTE_KAFKA_USERNAME',
    type: 'string',
    meaning: 'The user for POSTHASTE_KAFKA_SASL_MECHANISM.',
  },
  kafkaPassword: {
    name: 'POSTHASTE_KAFKA_PASSWORD',
    type: 'string',
    secret: true,
    meaning: 'The password for POSTHASTE_KAFKA_SASL_MECHANISM.',
  },
} as const;

/** Leaves room for the names of topics: Kafka takes 249 characters in all. */
const legalPrefix = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99})?$/;
const pem = /-----BEGIN [A-Z0-9 ]+-----/;

/** The rules between settings of events, for `check` of `readSettings`. */
export function eventFaults(values: Partial<SettingValues<typeof eventSettings>>): SettingFault[] {
  const faults: SettingFault[] = [];
  const fault = (name: string, message: string): void => {
    faults.push({ name, message: `${name} ${message}` });
  };
  const { kafkaPrefix = '', kafkaCa, kafkaCertificate } = values;
  if (!legalPrefix.test(kafkaPrefix)) {
    const text = 'which is not at most 100 letters, digits, dots, _ and -';
    fault('POSTHASTE_KAFKA_PREFIX', `is ${JSON.stringify(kafkaPrefix)}, ${text}.`);
  }
  if (kafkaCa !== undefined && !pem.test(kafkaCa)) {
    fault('POSTHASTE_KAFKA_CA', 'holds no certificate in PEM.');
  }
  if (kafkaCertificate !== undefined && !/-----BEGIN [A-Z ]*KEY-----/.test(kafkaCertificate)) {
    fault('POSTHASTE_KAFKA_CERTIFICATE', 'holds no certificate and key in PEM.');
  }
  const { kafkaMechanism, kafkaUsername, kafkaPassword } = values;
  const isNamed = kafkaUsername !== undefined && kafkaPassword !== undefined;
  if (kafkaMechanism !== undefined && !isNamed) {
    const needed = 'needs POSTHASTE_KAFKA_USERNAME and POSTHASTE_KAFKA_PASSWORD.';
    fault('POSTHASTE_KAFKA_SASL_MECHANISM', needed);
  }
  if (kafkaMechanism === undefined && (kafkaUsername ?? kafkaPassword) !== undefined) {
    fault('POSTHASTE_KAFKA_SASL_MECHANISM', 'is not set, but there is a user or a password.');
  }
  return faults;
}
