import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaBroker, readTestCertificate, startKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type {
  KafkaDriverOptions,
  KafkaSasl,
} from '../src/drivers/kafka/connection/kafka-options.js';
import { kafkaClients } from './kafka-clients.js';
import { kafkaDrivers } from './kafka-drivers.js';
import { append, appendTimeoutMs, createTopic, toRecord, toSubscription } from './kafka-topic.js';
import { addScramUser } from './kafka-users.js';
import { RecordingHandler } from './recording-handler.js';

const waitOptions = { timeout: 30_000, interval: 20 };
const password = 'correct horse battery staple';

const modules = 'org.apache.kafka.common.security';
const saslSettings = {
  'listener.name.safe.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  'listener.name.safe.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_alice="${password}";`,
  'listener.name.safe.scram-sha-256.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  'listener.name.safe.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  'listener.name.safe.oauthbearer.sasl.jaas.config': `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
};

/** Returns a token that the brokers of these tests accept: an unsigned one. */
function toToken(subject: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { sub: subject, iat: now, exp: now + 600 };
  const parts = [{ alg: 'none' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return `${parts.join('.')}.`;
}

describeWithKafka('security', { timeout: 60_000 }, () => {
  let kafka: KafkaBroker;
  let folder: string;
  /** Options that both listeners with TLS need. */
  let secured: Omit<KafkaDriverOptions, 'logMode' | 'logger'>;

  beforeAll(async () => {
    const { cert, key } = await readTestCertificate();
    folder = await mkdtemp(join(tmpdir(), 'posthaste-kafka-tls-'));
    const certificateFile = join(folder, 'client.pem');
    const caFile = join(folder, 'ca.pem');
    await writeFile(certificateFile, `${key}\n${cert}`);
    await writeFile(caFile, cert);
    kafka = await startKafka({
      own: true,
      listeners: { SAFE: 'SASL_SSL', MUTUAL: 'SSL' },
      settings: {
        ...saslSettings,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.certificate.chain': cert,
        'ssl.keystore.key': key,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': cert,
        'listener.name.mutual.ssl.client.auth': 'required',
      },
    });
    const [address = ''] = kafka.brokers;
    await addScramUser(address, 'alice', password);
    secured = { brokers: [kafka.listeners.SAFE ?? ''], caFile, certificateFile };
  }, 240_000);
  afterAll(async () => {
    await kafka?.close();
    await rm(folder, { recursive: true });
  });

  it.concurrent.for(kafkaClients)(
    'a client on $name reports wrong credentials',
    async ({ open }) => {
      const sasl = { mechanism: 'scram-sha-256', username: 'alice', password: 'wrong' } as const;
      const { brokers: _, ...kafkaConfig } = secured;
      const client = await open([...secured.brokers], {}, { ...kafkaConfig, sasl });
      const topic = await createTopic(kafka.brokers);
      client.register({ topic, callback: () => undefined });
      const refusal = { code: 'STREAM_UNAUTHORIZED' };
      await expect(client.publish({ topic, eventName: 'placed' })).rejects.toMatchObject(refusal);
      const consumers = [{ interruption: refusal }];
      const expected = { healthy: false, streamError: refusal, consumers };
      await vi.waitFor(
        async () => expect(await client.health()).toMatchObject(expected),
        waitOptions,
      );
      await client.close();
    },
  );

  describe.concurrent.each(kafkaDrivers)('on $name', ({ create }) => {
    async function roundTrip(options: KafkaDriverOptions): Promise<void> {
      const topic = await createTopic(kafka.brokers);
      const driver = create(options);
      try {
        await append(driver, topic, ['a']);
        await driver.ping();
        const handler = new RecordingHandler();
        driver.subscribe(toSubscription(topic), handler);
        await vi.waitFor(() => expect(handler.values).toEqual(['a']), waitOptions);
      } finally {
        await driver.close();
      }
    }

    async function expectRefusal(options: KafkaDriverOptions, code: string): Promise<void> {
      const topic = await createTopic(kafka.brokers);
      const driver = create(options);
      try {
        // Not `append` of the tests, which would try again for as long as the broker is unavailable.
        const records = [toRecord('a')];
        const request = { topic, partition: 0, records, timeoutMs: appendTimeoutMs };
        await expect(driver.append(request)).rejects.toMatchObject({ code });
        await expect(driver.ping()).rejects.toMatchObject({ code });
        await expect(driver.partitionCount(topic)).rejects.toMatchObject({ code });
        const handler = new RecordingHandler();
        driver.subscribe(toSubscription(topic), handler);
        await vi.waitFor(
          () => expect(handler.interruptions[0]).toMatchObject({ code }),
          waitOptions,
        );
        const messages = handler.interruptions.map((error) => String(error)).join();
        expect(messages).not.toContain('wrong');
      } finally {
        await driver.close();
      }
    }

    it.each<[string, KafkaSasl]>([
      ['PLAIN', { mechanism: 'plain', username: 'alice', password }],
      ['SCRAM-SHA-256', { mechanism: 'scram-sha-256', username: 'alice', password }],
      ['SCRAM-SHA-512', { mechanism: 'scram-sha-512', username: 'alice', password }],
      ['OAUTHBEARER', { mechanism: 'oauthbearer', token: async () => toToken('alice') }],
    ])('authenticates with %s over TLS', (_, sasl) => roundTrip({ ...secured, sasl }));

    it.each<[string, KafkaSasl]>([
      ['PLAIN', { mechanism: 'plain', username: 'alice', password: 'wrong' }],
      ['SCRAM-SHA-512', { mechanism: 'scram-sha-512', username: 'alice', password: 'wrong' }],
      ['OAUTHBEARER', { mechanism: 'oauthbearer', token: async () => 'wrong' }],
    ])('reports wrong credentials with %s', (_, sasl) =>
      expectRefusal({ ...secured, sasl }, 'STREAM_UNAUTHORIZED'),
    );

    it('sends its certificate to a broker that requires one', async () => {
      const brokers = [kafka.listeners.MUTUAL ?? ''];
      await roundTrip({ ...secured, brokers });
      const { caFile = '' } = secured;
      await expectRefusal({ brokers, caFile }, 'STREAM_UNAVAILABLE');
    });

    it('refuses a broker whose certificate it cannot verify', () =>
      expectRefusal({ brokers: [kafka.listeners.MUTUAL ?? ''], tls: true }, 'STREAM_UNAVAILABLE'));
  });
});
