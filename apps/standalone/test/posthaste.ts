import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningProcess, startProcess } from '@posthaste/testbed';
import { afterAll, vi } from 'vitest';

/** Program of the built `posthaste` command. */
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const maxStartMs = 60_000;

// Every test here starts processes, which is slow on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Options of `expect.poll`, which gives up after a second by default. */
export const waitOptions = { timeout: 30_000 } as const;

export type Environment = Readonly<Record<string, string>>;

/** Result of a command that has ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, with only `env` and PATH as environment and `input` as standard input. */
export function posthaste(
  args: readonly string[],
  env: Environment = {},
  input = '',
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH ?? '', ...env }, timeout: maxStartMs };
    const child = execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

/** Starts a command that runs until a signal stops it; it is ended after the file's tests. */
export async function startPosthaste(
  args: readonly string[],
  env: Environment,
  ready?: RegExp | URL,
): Promise<RunningProcess> {
  const running = await startProcess({
    args: [program, ...args],
    env,
    ...(ready ? { ready, readyTimeoutMs: maxStartMs } : {}),
  });
  started.push(running);
  return running;
}

/** Standalone in a process of its own. */
export interface StartedPlatform {
  readonly url: string;
  readonly env: Environment;
  readonly process: RunningProcess;
  /** Starts it again on the same data and port, after it has ended. */
  again(): Promise<StartedPlatform>;
}

/** Runs `posthaste start` on a free port and, unless one is given, on a data folder of its own. */
export async function startPlatform(env: Environment = {}): Promise<StartedPlatform> {
  return startOn({
    POSTHASTE_PORT: String(await freePort()),
    POSTHASTE_DATA_DIR: env.POSTHASTE_DATA_DIR ?? (await dataFolder()),
    // A busy test machine would exceed the delay, and requests would be answered with 503.
    POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    ...env,
  });
}

async function startOn(env: Environment): Promise<StartedPlatform> {
  const url = `http://127.0.0.1:${env.POSTHASTE_PORT}`;
  const process = await startPosthaste(['start'], env, new URL('/health/ready', url));
  return { url, env, process, again: () => startOn(env) };
}

/** Creates a folder with an embedded database that is empty and up to date. */
export async function dataFolder(): Promise<string> {
  // Copied from a template, because creating a database takes seconds.
  template ??= createTemplate();
  const folder = await emptyFolder();
  await cp(await template, folder, { recursive: true });
  return folder;
}

/** Creates an empty folder, removed after the file's tests. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'posthaste-test-'));
  folders.push(folder);
  return folder;
}

let template: Promise<string> | undefined;
const started: RunningProcess[] = [];
const folders: string[] = [];

afterAll(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()));
  await Promise.all(folders.splice(0).map((each) => rm(each, { recursive: true, force: true })));
});

async function createTemplate(): Promise<string> {
  const folder = await emptyFolder();
  const { code, stderr } = await posthaste(['migrate'], { POSTHASTE_DATA_DIR: folder });
  if (code !== 0) throw new Error(`the template of data folders could not be created: ${stderr}`);
  return folder;
}
