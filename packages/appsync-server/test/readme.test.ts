import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const packageFolder = join(import.meta.dirname, '..');
const timeoutMs = 60_000;

/** Output of the examples, in the order of the README. */
const outputs = [
  /^200 \{\s*successful: \[ \{ identifier: '[0-9a-f-]{36}', index: 0 \} \],\s*failed: \[\]\s*\}\n$/,
  /^page 405\n$/,
  /^0\n$/,
];

let folder: string;
let sources: readonly string[];

beforeAll(async () => {
  // Inside the package, where an import of its own name resolves to it.
  folder = await mkdtemp(join(packageFolder, 'dist', 'readme-'));
  const readme = await readFile(join(packageFolder, 'README.md'), 'utf8');
  sources = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, source]) => source ?? '');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it('has an expected output for every example of the README', () => {
  expect(sources).toHaveLength(outputs.length);
});

it.each([...outputs.entries()])(
  'prints what the README promises: example %i',
  async (index, output) => {
    const file = join(folder, `example-${index}.ts`);
    await writeFile(file, sources[index] ?? '');
    const { stdout, stderr } = await run(process.execPath, [file], { timeout: timeoutMs });
    expect(stderr).toBe('');
    expect(stdout).toMatch(output);
  },
  timeoutMs,
);
