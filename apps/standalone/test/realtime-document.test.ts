import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readExamples, runExample } from '@posthaste/testbed/examples';
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, newDatabase, type StartedPlatform, startPlatform } from './posthaste.js';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('..', import.meta.url));
const document = fileURLToPath(new URL('../../../docs/realtime.md', import.meta.url));

let platform: StartedPlatform;

beforeAll(async () => {
  // The first block of JSON is the file of a platform that starts.
  const [config = ''] = await readExamples(document, 'json');
  const file = join(await emptyFolder(), 'realtime.json');
  await writeFile(file, config);
  platform = await startPlatform({ ...(await newDatabase()), POSTHASTE_REALTIME_CONFIG: file });
});

/** Returns code as it stands, but for the address: the port may be in use here. */
function here(source: string): string {
  return source.replaceAll('127.0.0.1:8080', new URL(platform.url).host);
}

/** Runs commands in a shell, up to the first that fails. Resolves to their output. */
async function shell(commands: string): Promise<string> {
  // The program of the build that is tested, without another build before.
  const npm = `npm() { shift 4; '${process.execPath}' '${join(folder, 'dist/main.js')}' "$@"; }`;
  const curl = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }';
  const script = [npm, curl, here(commands)].join('\n');
  const { stdout } = await run('sh', ['-ec', script], {
    env: { PATH: process.env.PATH, ...platform.env },
  });
  return stdout;
}

describe('the blocks of docs/realtime.md', () => {
  it('in TypeScript run', async () => {
    const examples = await readExamples(document, 'ts');
    const printed = [];
    for (const example of examples) printed.push(await runExample(here(example), { folder }));
    expect(printed).toEqual([
      "{ type: 'data', event: { text: 'hello' } }\n",
      "members [ { member: 'ann', data: { mood: 'good' } } ]\n",
      expect.stringMatching(/^\{\n {2}type: 'data',[\s\S]* name: 'order\.placed'/),
    ]);
  });

  it('of commands run, one after another', async () => {
    // In one shell, because later blocks use variables of earlier ones.
    const printed = await shell((await readExamples(document, '')).join(''));
    expect(printed).toMatch(/"token":"pht_/);
    expect(printed).toMatch(/"name":"chat".*"history":500/);
    expect(printed).toMatch(/"name":"chat".*"durable":false/);
    expect(printed).toContain('news');
  });
});
