import type { ProvidedContext } from 'vitest';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import setup from './vitest-setup.js';

const provided: Partial<ProvidedContext> = {};
const project = {
  provide: <Key extends keyof ProvidedContext>(key: Key, value: ProvidedContext[Key]): void => {
    provided[key] = value;
  },
};

beforeEach(() => {
  vi.stubEnv('DATABASE_URL', 'postgres://somewhere/else');
  vi.stubEnv('KAFKA_BROKERS', '');
  // Neither Docker nor Java is found.
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('JAVA_HOME', '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Returns the warnings, without the one about PgBouncer, which this machine may have. */
function warningsOf(warn: MockInstance<typeof console.warn>): string[] {
  return warn.mock.calls
    .map(([line]) => String(line))
    .filter((line) => !line.includes('PgBouncer'));
}

describe('global setup', () => {
  it('uses the servers that the environment names', async () => {
    vi.stubEnv('CI', '');
    vi.stubEnv('KAFKA_BROKERS', 'kafka-1:9092,kafka-2:9092');
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const teardown = await setup(project);
    await teardown();
    expect(warningsOf(warn)).toEqual([expect.stringMatching(/several brokers .* install Java 17/)]);
    expect(provided).toEqual({
      postgresUrl: 'postgres://somewhere/else',
      kafkaSource: 'external',
      sharedKafkaUrl: expect.stringMatching(/^http:/),
      kafkaClusters: false,
      // Depends on the machine.
      pgBouncer: expect.any(Boolean),
    });
  });

  it('prints what is missing and how to get it in one line', async () => {
    vi.stubEnv('CI', '');
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await setup(project);
    expect(warningsOf(warn)).toEqual([
      expect.stringMatching(/^Tests that need Kafka are skipped.* Java 17 .*\.$/),
    ]);
    expect(provided.kafkaSource).toBeUndefined();
    expect(provided.sharedKafkaUrl).toBeUndefined();
  });

  it('fails on CI if something is missing', async () => {
    vi.stubEnv('CI', 'true');
    await expect(setup(project)).rejects.toThrow(/no Kafka for the tests: set KAFKA_BROKERS/);
    vi.stubEnv('KAFKA_BROKERS', 'kafka-1:9092');
    await expect(setup(project)).rejects.toThrow(
      'several brokers of Kafka for the tests: install Java',
    );
  });
});
