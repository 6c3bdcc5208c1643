/**
 * Program of `npm start`, `npm test` and the other root scripts. It is plain JavaScript without
 * dependencies, because it runs before anything is installed, on Node 20 or newer.
 *
 * It fetches the pinned pnpm, installs if the lock file or a manifest has changed, builds the changed
 * packages, and uses the pinned Node 24 if the machine's own Node is older.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whenOrphaned } from './orphaned.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache');
const runtimeMajor = 24;
const workspaceFolders = ['apps', 'packages', 'tooling'];

/** Waits between tries of the registry, in ms: seconds in all, and not minutes as by default. */
const fetchRetries = { 'fetch-retry-mintimeout': 1_000, 'fetch-retry-maxtimeout': 8_000 };

/** Time after which a running build is announced, in ms. */
const silentBuildMs = 3_000;

/** Steps of each command, which run after the installation. */
const commands = {
  start: [build, (args) => posthaste(['start', ...args])],
  posthaste: [build, posthaste],
  build: [build],
  check: [build, check],
  format: [format],
  test: [build, check, test],
  bench: [build, (args) => runtime([join(root, 'tooling/bench/dist/main.js'), ...args])],
  docs: [build, () => runtime([join(root, 'tooling/checks/dist/write-docs.js')])],
};

/** Oldest Node that can install and build. */
const oldestMajor = 20;

class StepFailed extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const [command, ...args] = process.argv.slice(2);
try {
  if (nodeMajor() < oldestMajor) {
    throw new StepFailed(
      `Posthaste needs Node ${oldestMajor} or newer to install and build, and this is ${process.version}.`,
      69,
    );
  }
  const steps = commands[command];
  if (!steps) throw new StepFailed(`usage: run.mjs ${Object.keys(commands).join('|')}`, 64);
  await ensurePnpm();
  await install();
  for (const step of steps) await step(args);
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  if (error.message) say(error.message);
  process.exitCode = error.exitCode;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

async function install() {
  const wanted = installFingerprint();
  const stamp = join(root, 'node_modules', '.posthaste-install');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('Installing dependencies…');
  const frozen = process.env.CI ? ['--frozen-lockfile'] : [];
  const retries = Object.entries(fetchRetries).map(([name, ms]) => `--config.${name}=${ms}`);
  await run('pnpm', ['install', ...retries, ...frozen], {
    failed: 'Installing the dependencies failed (see above). Is the package registry reachable?',
  });
  // Computed again, because the installation may have written the lock file.
  writeFileSync(stamp, installFingerprint());
}

/** Returns a hash that changes whenever `pnpm install` would have something to do. */
function installFingerprint() {
  const hash = createHash('sha256');
  const files = ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml'];
  for (const folder of workspaceFolders) {
    for (const name of readdirSync(join(root, folder)).sort()) {
      files.push(`${folder}/${name}/package.json`);
    }
  }
  for (const file of files) {
    const path = join(root, file);
    if (existsSync(path)) hash.update(file).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

/** Fetches the pnpm that `packageManager` names through npm, unless it was fetched before. */
async function ensurePnpm() {
  const { packageManager, folder, bin } = pinnedPnpm();
  if (existsSync(bin)) return;
  say(`Fetching ${packageManager}…`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const retries = Object.entries(fetchRetries).map(([name, ms]) => `--${name}=${ms}`);
  await run(
    isWindows() ? 'npm.cmd' : 'npm',
    ['install', '--loglevel=error', ...retries, '--prefix', folder, packageManager],
    {
      quietUnlessFailed: true,
      failed: `Could not fetch ${packageManager} (see above). The first start needs the package registry: check the network and npm's settings, then try again.`,
    },
  );
}

/** Returns the location of the pinned pnpm. */
function pinnedPnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const folder = join(cache, packageManager.replace('@', '-'));
  const bin = join(folder, 'node_modules', '.bin', isWindows() ? 'pnpm.cmd' : 'pnpm');
  return { packageManager, folder, bin };
}

async function build() {
  const announcement = setTimeout(() => say('Building…'), silentBuildMs);
  try {
    await run(bin('turbo'), ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'], {
      failed: 'The build failed (see above).',
      quietUnlessFailed: true,
    });
  } finally {
    clearTimeout(announcement);
  }
}

async function check() {
  say('Checking format, lint, types, unused code…');
  await run(bin('biome'), ['check', '--error-on-warnings', '.']);
  await run(bin('tsc'), ['-b']);
  await run(bin('knip'), []);
}

async function format() {
  await run(bin('biome'), ['check', '--write', '.']);
}

async function test(args) {
  await run(bin('vitest'), ['run', ...args]);
}

async function posthaste(args) {
  await runtime([join(root, 'apps/standalone/dist/main.js'), ...args]);
}

async function runtime(args) {
  await run(nodeBinary() ?? process.execPath, ['--disable-warning=ExperimentalWarning', ...args]);
}

function nodeMajor() {
  return Number(process.versions.node.split('.')[0]);
}

/** Returns the pinned Node from the registry, or undefined if this Node is new enough. */
function nodeBinary() {
  if (nodeMajor() >= runtimeMajor) return undefined;
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const path = join(root, 'node_modules', name, 'bin', isWindows() ? 'node.exe' : 'node');
  if (existsSync(path)) return path;
  throw new StepFailed(
    `Posthaste needs Node ${runtimeMajor}, and this is ${process.version}. There is no packaged runtime for ${process.platform}-${process.arch}: install Node ${runtimeMajor} or newer.`,
  );
}

function bin(name) {
  return join(root, 'node_modules', '.bin', isWindows() ? `${name}.cmd` : name);
}

function isWindows() {
  return process.platform === 'win32';
}

/** Runs a program to its end. Passes signals on to it, and fails with its exit code. */
function run(program, args, { failed = '', quietUnlessFailed = false } = {}) {
  const node = existsSync(join(root, 'node_modules')) ? nodeBinary() : undefined;
  const path = [
    ...(node ? [join(node, '..')] : []),
    join(root, 'node_modules', '.bin'),
    join(pinnedPnpm().bin, '..'), // for Turbo, and for the tests that pack packages
    process.env.PATH,
  ];
  const child = spawn(program, args, {
    cwd: process.env.INIT_CWD && program.endsWith('node') ? process.env.INIT_CWD : root,
    stdio: quietUnlessFailed ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    shell: isWindows(),
    env: {
      ...process.env,
      PATH: path.join(delimiter),
      TURBO_TELEMETRY_DISABLED: '1',
      DO_NOT_TRACK: '1',
    },
  });
  const output = [];
  child.stdout?.on('data', (chunk) => output.push(chunk));
  child.stderr?.on('data', (chunk) => output.push(chunk));
  // The terminal sends SIGINT to the whole process group, so only SIGTERM is passed on.
  const forward = (signal) => child.kill(signal);
  const ignore = () => {};
  process.on('SIGTERM', forward).on('SIGINT', ignore);
  const unwatch = whenOrphaned(() => forward('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new StepFailed(failed || `${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      unwatch();
      process.off('SIGTERM', forward).off('SIGINT', ignore);
      if (code === 0) return resolve();
      process.stderr.write(Buffer.concat(output));
      if (signal === 'SIGKILL') say(`${basename(program)} was killed (SIGKILL).`);
      reject(new StepFailed(failed, code ?? 128 + constants.signals[signal]));
    });
  });
}
