import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from './workspace.js';

const watch = join(root, 'tooling/bootstrap/orphaned.mjs');
let project = '';
let scriptPid = 0;

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'posthaste-orphaned-'));
  await writeFile(join(project, 'package.json'), '{"scripts":{"start":"node script.mjs"}}');
  await writeFile(
    join(project, 'script.mjs'),
    `import { whenOrphaned } from ${JSON.stringify(watch)};
     whenOrphaned(() => process.exit());
     setTimeout(() => undefined, 60_000);
     console.log('script ' + process.pid + ' runs');`,
  );
});
afterEach(async () => {
  if (isAlive(scriptPid)) process.kill(scriptPid, 'SIGKILL');
  await rm(project, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Runs a shell line in the project. Resolves to the shell's process id when the script runs. */
async function start(line: string): Promise<number> {
  const shell = spawn('/bin/sh', ['-c', line], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await expect.poll(() => output, { timeout: 30_000 }).toMatch(/script \d+ /);
  scriptPid = Number(/script (\d+) /.exec(output)?.[1]);
  return shell.pid ?? 0;
}

describe.runIf(process.platform === 'linux')(
  'a script of npm',
  () => {
    it.each(['SIGKILL', 'SIGTERM'] as const)('ends when npm ends by %s', async (signal) => {
      const npm = await start('exec npm start');
      process.kill(npm, signal);
      await expect.poll(() => isAlive(scriptPid), { timeout: 10_000 }).toBe(false);
    });

    it('goes on when the shell that started npm ends', async () => {
      const shell = await start('npm start & wait');
      const npm = Number(await readFile(`/proc/${shell}/task/${shell}/children`, 'utf8'));
      process.kill(shell, 'SIGKILL');
      await sleep(1_500);
      expect(isAlive(scriptPid)).toBe(true);
      process.kill(npm, 'SIGKILL');
      await expect.poll(() => isAlive(scriptPid), { timeout: 10_000 }).toBe(false);
    });
  },
  60_000,
);
