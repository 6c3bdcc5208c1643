import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  createTestDatabase,
  freePort,
  type RunningProcess,
  startProcess,
  type TestDatabase,
} from '@posthaste/testbed';
import { afterAll, inject, vi } from 'vitest';

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

/** Command to run in the worker thread of `posthaste`. */
export interface CommandCall {
  readonly args: readonly string[];
  readonly env: Environment;
  /** Content of standard input. */
  readonly input: string;
}

/**
 * Runs a command to its end, with only `env` and PATH as environment and `input` as standard input. It
 * runs in a thread that has loaded the command already. Commands run one after another.
 */
export async function posthaste(
  args: readonly string[],
  env: Environment = {},
  input = '',
): Promise<CommandResult> {
  const call: CommandCall = { args, env, input };
  const turn = lastCall.then(() => callHost(call));
  lastCall = turn.catch(() => undefined);
  return turn;
}

async function callHost(call: CommandCall): Promise<CommandResult> {
  host ??= new Worker(new URL('./command-host.ts', import.meta.url), { execArgv: [] });
  host.postMessage(call);
  const [result] = await once(host, 'message', { signal: AbortSignal.timeout(maxStartMs) });
  return result as CommandResult;
}

/** Does the same as `posthaste` in a process of its own, for what is about the process. */
export function posthasteProcess(
  args: readonly string[],
  env: Environment = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { env: { ...processEnvironment(), ...env }, timeout: maxStartMs };
    const child = execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

/** Returns the variables that a process gets besides those of the test. */
function processEnvironment(): Environment {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }) };
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
    POSTHASTE_DATA_DIR: env.POSTHASTE_DATA_DIR ?? (await folderFor(env)),
    // A busy test machine would exceed the delay, and requests would be answered with 503.
    POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    ...env,
  });
}

function folderFor({ DATABASE_URL }: Environment): Promise<string> {
  return DATABASE_URL === undefined ? dataFolder() : emptyFolder();
}

async function startOn(env: Environment): Promise<StartedPlatform> {
  const url = `http://127.0.0.1:${env.POSTHASTE_PORT}`;
  const process = await startPosthaste(['start'], env, new URL('/health/ready', url));
  return { url, env, process, again: () => startOn(env) };
}

/**
 * Returns the settings of a new database for `startPlatform`: on the Postgres of the tests, which
 * starts faster than an embedded database, or embedded if there is none.
 */
export async function newDatabase(): Promise<Environment> {
  if (inject('postgresUrl') === undefined) return { POSTHASTE_DATA_DIR: await emptyFolder() };
  const database = await createTestDatabase();
  databases.push(database);
  return { DATABASE_URL: database.url };
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
let host: Worker | undefined;
let lastCall: Promise<unknown> = Promise.resolve();
const databases: TestDatabase[] = [];
const started: RunningProcess[] = [];
const folders: string[] = [];

afterAll(async () => {
  await host?.terminate();
  await Promise.all(started.splice(0).map((each) => each.close()));
  await Promise.all(databases.splice(0).map((database) => database.drop()));
  await Promise.all(folders.splice(0).map((each) => rm(each, { recursive: true, force: true })));
});

async function createTemplate(): Promise<string> {
  const folder = await emptyFolder();
  const { code, stderr } = await posthaste(['migrate'], { POSTHASTE_DATA_DIR: folder });
  if (code !== 0) throw new Error(`the template of data folders could not be created: ${stderr}`);
  return folder;
}
