import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KafkaDriverOptions, resolveKafkaOptions } from './kafka-options.js';
import { getTlsCertFromFile } from './tls-certificate.js';

const certificate = (body: string): string =>
  `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`;
const key = '-----BEGIN PRIVATE KEY-----\na2V5\n-----END PRIVATE KEY-----';

describe('the options of the Kafka drivers', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'posthaste-tls-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function write(...parts: string[]): Promise<string> {
    const file = join(folder, `${Math.random()}.pem`);
    await writeFile(file, parts.join('\n'));
    return file;
  }

  it('have defaults', () => {
    expect(resolveKafkaOptions({ brokers: ['kafka:9092'] })).toMatchObject({
      clientId: 'posthaste',
      dialTimeoutMs: 10_000,
      readTimeoutMs: 10_000,
      writeTimeoutMs: 10_000,
      logMode: 'off',
      acks: 'all',
      compression: 'none',
      tls: undefined,
    });
  });

  it.each<[string, Partial<KafkaDriverOptions>]>([
    ['brokers is empty', { brokers: [] }],
    ['"kafka", which is not host:port', { brokers: ['kafka'] }],
    [
      '"kafka://kafka:9092", which is a URL; leave out kafka://',
      { brokers: ['kafka://kafka:9092'] },
    ],
    ['acks is some', { acks: 'some' as 'all' }],
    ['compression is zip', { compression: 'zip' as 'gzip' }],
    ['logMode is info without a logger', { logMode: 'info' }],
    ['dialTimeoutMs is 0', { dialTimeoutMs: 0 }],
    [
      'heartbeatIntervalMs is 2000, more than half of sessionTimeoutMs (3000)',
      { heartbeatIntervalMs: 2_000, sessionTimeoutMs: 3_000 },
    ],
    ['sasl.mechanism is magic', { sasl: { mechanism: 'magic' } as never }],
    ['caFile /none cannot be read', { caFile: '/none' }],
  ])('are refused: %s', (message, options) => {
    const resolve = (): unknown => resolveKafkaOptions({ brokers: ['kafka:9092'], ...options });
    expect(resolve).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    expect(resolve).toThrow(message);
  });

  it('take IPv6 addresses, and spaces around a broker', () => {
    const { brokers } = resolveKafkaOptions({ brokers: ['[::1]:9092', ' kafka:9092 '] });
    expect(brokers).toEqual(['[::1]:9092', 'kafka:9092']);
  });

  it('read a certificate chain and its key from one file', async () => {
    const leaf = certificate('bGVhZg==');
    const issuer = certificate('aXNzdWVy');
    const file = await write('subject=leaf', leaf, key, issuer);
    expect(getTlsCertFromFile(file)).toEqual({ cert: `${leaf}\n${issuer}\n`, key: `${key}\n` });
    const { tls } = resolveKafkaOptions({
      brokers: ['kafka:9092'],
      certificateFile: file,
      caFile: await write(issuer),
      tls: { servername: 'kafka.internal' },
    });
    expect(tls).toMatchObject({ ca: issuer, key: `${key}\n`, servername: 'kafka.internal' });
  });

  it('name the part that a certificate file lacks', async () => {
    const noKey = await write(certificate('bGVhZg=='));
    const noCertificate = await write(key);
    expect(() => getTlsCertFromFile(noKey)).toThrow('has no private key');
    expect(() => getTlsCertFromFile(noCertificate)).toThrow('has no certificate');
    expect(() => getTlsCertFromFile(join(folder, 'none'))).toThrow('cannot be read');
  });
});
