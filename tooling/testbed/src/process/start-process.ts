import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { killTree, signalTree } from './process-tree.js';
import { startWatchdog, type Watchdog } from './watchdog.js';

const defaultWaitMs = 30_000;

/** Most lines of output that are kept. */
const maxLines = 10_000;

/** Variables that every process needs. Other variables of this process are not passed on. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_COMPILE_CACHE'] as const;

/** Options of `startProcess`. */
export interface ProcessOptions {
  /** Program. Default: the Node that runs this process. */
  readonly command?: string;
  readonly args: readonly string[];
  /**
   * Variables besides PATH, HOME, TMPDIR, LANG and NODE_COMPILE_CACHE. Settings of the tests do not leak
   * into the child.
   */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ready when a line of output matches, or when the URL responds with 2xx. Default: at once. */
  readonly ready?: RegExp | URL;
  /** Longest wait until it is ready, in ms. Default 30,000. */
  readonly readyTimeoutMs?: number;
}

/** Exit code or signal of a process that has ended; the other one is null. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Starts a program for a test and waits until it is ready. It ends with this process.
 * @throws Error with its output if it ends, or takes too long, before it is ready
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { command = process.execPath, args, cwd, ready } = options;
  const kept = inherited.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const child = spawn(command, args, {
    cwd,
    env: { ...Object.fromEntries(kept), ...options.env },
    // Ctrl-C in a terminal must reach the tests first.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child, 'spawn');
  const running = new RunningProcess(child, child.stdout, child.stderr);
  try {
    await waitUntilReady(running, ready, options.readyTimeoutMs ?? defaultWaitMs);
    return running;
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** A program that runs during a test. */
export class RunningProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<ProcessExit>;
  readonly #watchdog: Watchdog;
  #lines: string[] = [];
  #exit: ProcessExit | undefined;
  /** Functions that get every new line, and undefined at the end. */
  readonly #watchers = new Set<(line: string | undefined) => void>();

  /** Use `startProcess`. */
  constructor(child: ChildProcess, stdout: Readable, stderr: Readable) {
    this.pid = child.pid ?? 0;
    this.#watchdog = startWatchdog();
    this.#watchdog.guard(child.pid);
    for (const stream of [stdout, stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#add(line));
    }
    this.exited = once(child, 'close').then(([code, signal]) => {
      this.#exit = { code, signal };
      this.#watchdog.close();
      this.#notify(undefined);
      return this.#exit;
    });
  }

  /** Exit code or signal; undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /** The last 10,000 lines of stdout and stderr, in order of arrival. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /**
   * Resolves to the first line that matches, of the output so far or to come.
   * @throws Error with the output after `timeoutMs` (default 30 s), or if the process ends
   */
  async waitForLine(pattern: RegExp, timeoutMs: number = defaultWaitMs): Promise<RegExpExecArray> {
    for (const line of this.#lines) {
      const match = pattern.exec(line);
      if (match) return match;
    }
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const check = (line: string | undefined): void => {
      const match = line === undefined ? null : pattern.exec(line);
      if (match) resolve(match);
      else if (line === undefined) reject(this.#failure(`ended before a line matched ${pattern}`));
    };
    if (this.#exit) check(undefined);
    const timer = setTimeout(
      () => reject(this.#failure(`no line matched ${pattern} in time`)),
      timeoutMs,
    );
    this.#watchers.add(check);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(check);
    }
  }

  /** Sends SIGTERM, and SIGKILL if it has not ended after `timeoutMs` (default 30 s). */
  async terminate(timeoutMs: number = defaultWaitMs): Promise<ProcessExit> {
    if (this.#exit) return this.#exit;
    process.kill(this.pid, 'SIGTERM');
    const timer = setTimeout(() => void this.kill(), timeoutMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Kills it and its children. */
  async kill(): Promise<ProcessExit> {
    if (!this.#exit) await killTree(this.pid);
    return this.exited;
  }

  /** Freezes it, like a long garbage collection or a stopped virtual machine. */
  async pause(): Promise<void> {
    if (!this.#exit) await signalTree(this.pid, 'SIGSTOP');
  }

  /** Continues a paused process. */
  async resume(): Promise<void> {
    if (!this.#exit) await signalTree(this.pid, 'SIGCONT');
  }

  /** Kills it, in any state. */
  async close(): Promise<void> {
    await this.kill();
  }

  #add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > maxLines) this.#lines.splice(0, maxLines / 10);
    this.#notify(line);
  }

  #notify(line: string | undefined): void {
    for (const watcher of this.#watchers) watcher(line);
  }

  #failure(what: string): Error {
    return new Error(`process ${this.pid}: ${what}; its output:\n${this.output.slice(-4_000)}`);
  }
}

async function waitUntilReady(
  running: RunningProcess,
  ready: RegExp | URL | undefined,
  timeoutMs: number,
): Promise<void> {
  if (ready === undefined) return;
  if (ready instanceof RegExp) return void (await running.waitForLine(ready, timeoutMs));
  const deadline = performance.now() + timeoutMs;
  while (!(await respondsOk(ready))) {
    if (running.exit)
      throw new Error(
        `the process ended before ${ready} responded; its output:\n${running.output}`,
      );
    if (performance.now() > deadline)
      throw new Error(`${ready} did not respond in time; the output:\n${running.output}`);
    await sleep(50);
  }
}

async function respondsOk(url: URL): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
