import { eventFaults, eventSettings, readSettings } from '@posthaste/settings';
import { expect, it } from 'vitest';
import { toKafkaOptions } from './kafka-options.js';

const silent = (): void => undefined;
const logger = { error: silent, warn: silent, info: silent, debug: silent };
const certificate =
  '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----';

const optionsOf = (environment: Record<string, string>) =>
  toKafkaOptions(
    readSettings({ KAFKA_BROKERS: 'a:9092,b:9092', ...environment }, eventSettings, {
      check: eventFaults,
    }),
    logger,
  );

it('uses neither TLS nor SASL by default', () => {
  const options = optionsOf({});
  expect(options).toMatchObject({ brokers: ['a:9092', 'b:9092'], tls: false });
  expect(options).not.toHaveProperty('sasl');
});

it.each<[Record<string, string>, unknown]>([
  [{ POSTHASTE_KAFKA_TLS: 'true' }, true],
  [{ POSTHASTE_KAFKA_CA: certificate }, { ca: certificate }],
  [{ POSTHASTE_KAFKA_CERTIFICATE: certificate }, { cert: certificate, key: certificate }],
])('turns on TLS by %o', (environment, tls) => {
  expect(optionsOf(environment).tls).toEqual(tls);
});

it('authenticates with the configured mechanism and user', () => {
  expect(
    optionsOf({
      POSTHASTE_KAFKA_SASL_MECHANISM: 'scram-sha-256',
      POSTHASTE_KAFKA_USERNAME: 'relay',
      POSTHASTE_KAFKA_PASSWORD: 'secret',
    }).sasl,
  ).toEqual({ mechanism: 'scram-sha-256', username: 'relay', password: 'secret' });
});
