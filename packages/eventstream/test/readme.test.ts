import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type SharedKafka, sharedKafka } from '@posthaste/testbed';
import { describeWithKafka } from '@posthaste/testbed/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const packageFolder = join(import.meta.dirname, '..');

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

let folder: string;
let sources: readonly string[];

beforeAll(async () => {
  // Inside the package, where an import of its own name resolves to it.
  folder = await mkdtemp(join(packageFolder, 'dist', 'readme-'));
  const readme = await readFile(join(packageFolder, 'README.md'), 'utf8');
  sources = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, source]) => source ?? '');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs an example as a process of its own. Returns its output; it must not print warnings. */
async function output(index: number, environment: Record<string, string> = {}): Promise<string> {
  const file = join(folder, `example-${index}.ts`);
  await writeFile(file, sources[index] ?? '');
  const env = { ...process.env, ...environment };
  const { stdout, stderr } = await run(process.execPath, [file], { env, timeout: timeoutMs });
  expect(stderr).toBe('');
  return stdout;
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
