import { PlatformError, parseApplicationRules } from '@posthaste/contracts';
import type { SettingFault, SettingValues } from './definition.js';

/** Settings of the event log and of the relay from it to Kafka. */
export const eventSettings = {
  eventRetentionMs: {
    name: 'POSTHASTE_EVENT_RETENTION',
    type: 'duration',
    min: 3_600_000,
    max: 315_360_000_000,
    default: 604_800_000,
    meaning:
      'Time after which events are dropped from the event log, read or not. An event may stay longer by a seventh of this time, one day at most.',
  },
  topicApplications: {
    name: 'POSTHASTE_TOPIC_APPLICATIONS',
    type: 'list',
    items: 'string',
    default: [],
    meaning:
      'Topics that belong to an application, such as `orders=shop,game.*=game`: a name, or the beginning of names with `*` after it; the first that matches decides. A topic is listed by its name in the event log, and its dead letters and retries belong with it. Only its application and keys for all may use such a topic, and records in it that name no application belong to that one. Any other topic is shared: each application sees its own records. Gateway and worker read it.',
  },
  groupApplications: {
    name: 'POSTHASTE_GROUP_APPLICATIONS',
    type: 'list',
    items: 'string',
    default: [],
    meaning:
      'Consumer groups that belong to an application, written as POSTHASTE_TOPIC_APPLICATIONS is. An application sees these groups and those of its topics. The gateway reads it too.',
  },
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
      'Certificate chain and private key (PEM) that the worker presents to brokers that require client certificates.',
  },
  kafkaMechanism: {
    name: 'POSTHASTE_KAFKA_SASL_MECHANISM',
    type: 'choice',
    choices: ['plain', 'scram-sha-256', 'scram-sha-512'],
    meaning:
      'SASL mechanism with which the worker authenticates to Kafka. Not set: no authentication.',
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

/** Checks the settings that map names to applications, for `check` of `readSettings`. */
export function applicationFaults(
  values: Partial<
    Pick<SettingValues<typeof eventSettings>, 'topicApplications' | 'groupApplications'>
  >,
): SettingFault[] {
  return (['topicApplications', 'groupApplications'] as const).flatMap((setting) => {
    const { name } = eventSettings[setting];
    try {
      parseApplicationRules(values[setting] ?? []);
      return [];
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return [{ name, message: `${name}: ${error.message}.` }];
    }
  });
}

/** At most 100 characters: Kafka allows 249 in all, and the topic's own name follows. */
const legalPrefix = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,99})?$/;
const pem = /-----BEGIN [A-Z0-9 ]+-----/;

/** Checks the rules between settings of events, for `check` of `readSettings`. */
export function eventFaults(values: Partial<SettingValues<typeof eventSettings>>): SettingFault[] {
  const faults: SettingFault[] = applicationFaults(values);
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
