import { join } from 'node:path';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { readExamples, runExample } from '@posthaste/testbed/examples';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { beforeAll, describe, expect, it } from 'vitest';

const folder = join(import.meta.dirname, '..');
const sources = await readExamples(join(folder, 'README.md'), 'ts');

/** Examples in the order of the README, with their output. */
const examples = [
  { name: 'the first', prints: /^placed \{ total: 3 \}$/m },
  { name: 'Kafka', prints: /^game \{ total: 3 \}$/m, needsKafka: true },
  { name: 'a loop', prints: /^1 3$/m },
  {
    name: 'CloudEvents',
    prints:
      /^com\.example\.placed \{ data: '<order total="3"\/>' \}\ncom\.example\.placed <order total="3"\/> https:\/\/example\.com\/orders$/m,
  },
  { name: 'the outbox', prints: /^\{ total: 3 \}$/m },
  { name: 'publishing once', prints: /^0n false\n0n true$/m },
  {
    name: 'metrics',
    prints:
      /^\{"id":.*"sessionId":"abc".*\}\nposthaste_eventstream_published_total\{topic="shop\.orders"\} 1$/m,
  },
];

const timeoutMs = 120_000;

/** Runs an example. Returns its output. */
function output(index: number, env: Record<string, string> = {}): Promise<string> {
  return runExample(sources[index] ?? '', { folder, env });
}

describe('the examples of the README', () => {
  it('are all in this test', () => {
    expect(sources).toHaveLength(examples.length);
  });

  for (const [index, { name, prints, needsKafka }] of examples.entries()) {
    if (needsKafka) continue;
    const test = async (): Promise<void> => expect(await output(index)).toMatch(prints);
    it.concurrent(`run: ${name}`, test, timeoutMs);
  }
});

describeWithKafka('the examples of the README on Kafka', () => {
  let kafka: SharedKafka;

  beforeAll(async () => {
    kafka = await sharedKafka();
  }, timeoutMs);

  for (const [index, { name, prints, needsKafka }] of examples.entries()) {
    if (!needsKafka) continue;
    const test = async (): Promise<void> => {
      const environment = { KAFKA_BROKERS: kafka.brokers.join() };
      expect(await output(index, environment)).toMatch(prints);
    };
    it(`run: ${name}`, test, timeoutMs);
  }
});
