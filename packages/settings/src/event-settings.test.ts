import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlatformError } from '@posthaste/contracts';
import { expect, it } from 'vitest';
import { eventFaults, eventSettings } from './event-settings.js';
import { readSettings } from './read.js';

const read = (environment: Record<string, string>) =>
  readSettings(environment, eventSettings, { check: eventFaults });

/** Returns the names of the variables that have a fault. */
function faultsOf(environment: Record<string, string>): string[] {
  try {
    read(environment);
    return [];
  } catch (error) {
    const { details } = error as PlatformError;
    return (details as { name: string }[]).map(({ name }) => name);
  }
}

const pem = (label: string): string => `-----BEGIN ${label}-----\nMA==\n-----END ${label}-----`;

it('have no fault without Kafka', () => {
  expect(read({})).toMatchObject({
    kafkaBrokers: [],
    kafkaPrefix: '',
    kafkaTls: false,
    eventRetentionMs: 604_800_000,
  });
});

it('read certificates and passwords from files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), `${text}\n`);
    return join(folder, name);
  };
  const certificate = `${pem('CERTIFICATE')}\n${pem('PRIVATE KEY')}`;
  expect(
    read({
      KAFKA_BROKERS: 'a:9093',
      POSTHASTE_KAFKA_CA_FILE: file('ca', pem('CERTIFICATE')),
      POSTHASTE_KAFKA_CERTIFICATE_FILE: file('certificate', certificate),
      POSTHASTE_KAFKA_SASL_MECHANISM: 'scram-sha-512',
      POSTHASTE_KAFKA_USERNAME: 'posthaste',
      POSTHASTE_KAFKA_PASSWORD_FILE: file('password', 'secret'),
    }),
  ).toMatchObject({
    kafkaCa: pem('CERTIFICATE'),
    kafkaCertificate: certificate,
    kafkaPassword: 'secret',
  });
});

it.each<[Record<string, string>, string]>([
  [{ POSTHASTE_KAFKA_PREFIX: 'a b' }, 'POSTHASTE_KAFKA_PREFIX'],
  [{ POSTHASTE_KAFKA_PREFIX: '.shop' }, 'POSTHASTE_KAFKA_PREFIX'],
  [{ POSTHASTE_KAFKA_PREFIX: 'x'.repeat(101) }, 'POSTHASTE_KAFKA_PREFIX'],
  [{ POSTHASTE_KAFKA_CA: 'ca.pem' }, 'POSTHASTE_KAFKA_CA'],
  [{ POSTHASTE_KAFKA_CERTIFICATE: pem('CERTIFICATE') }, 'POSTHASTE_KAFKA_CERTIFICATE'],
  [{ POSTHASTE_KAFKA_SASL_MECHANISM: 'plain' }, 'POSTHASTE_KAFKA_SASL_MECHANISM'],
  [{ POSTHASTE_KAFKA_USERNAME: 'x' }, 'POSTHASTE_KAFKA_SASL_MECHANISM'],
  [{ POSTHASTE_KAFKA_PASSWORD: 'x' }, 'POSTHASTE_KAFKA_SASL_MECHANISM'],
  [{ POSTHASTE_EVENT_RETENTION: '10m' }, 'POSTHASTE_EVENT_RETENTION'],
])('%j has a fault of %s', (environment, name) => {
  expect(faultsOf(environment)).toEqual([name]);
});

it('never put a secret into a message', () => {
  const secret = 'do-not-show';
  const environment = { POSTHASTE_KAFKA_CA: secret, POSTHASTE_KAFKA_PASSWORD: secret };
  expect(() => read(environment)).toThrow(PlatformError);
  try {
    read(environment);
  } catch (error) {
    expect(String(error)).not.toContain(secret);
  }
});
