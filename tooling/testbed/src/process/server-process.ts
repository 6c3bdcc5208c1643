import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killTree, signalTree } from './process-tree.js';
import type { UserIds } from './unprivileged-user.js';
import { startWatchdog, type Watchdog } from './watchdog.js';

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** The user to run it as; undefined: the current one. */
  readonly user?: UserIds | undefined;
}

/**
 * A server program and the temporary folder that is its own: started, stopped, crashed and
 * started again on the same data. Both are gone when this process is, whatever ends it.
 */
export class ServerProcess {
  readonly folder: string;
  readonly #logFile: string;
  readonly #watchdog: Watchdog;
  #child: ChildProcess | undefined;

  /** Owns `folder` from now on. */
  constructor(folder: string) {
    this.folder = folder;
    this.#logFile = join(folder, 'server.log');
    this.#watchdog = startWatchdog({ folder });
  }

  /** Undefined while the server is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the program in its folder; it need not be ready when this returns. */
  async launch({ program, args, user }: ServerCommand): Promise<void> {
    // A file and not a pipe: a server whose reader died must not block on its log.
    const log = await open(this.#logFile, 'a');
    try {
      const child = spawn(program, args, {
        ...user,
        cwd: this.folder,
        // Ctrl-C in a terminal must reach the tests first.
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      await once(child, 'spawn');
      this.#child = child;
      this.#watchdog.guard(child.pid);
      child.once('exit', () => {
        this.#child = undefined;
        this.#watchdog.guard(undefined);
      });
    } finally {
      await log.close();
    }
  }

  /** @throws Error with the end of the log when it ends or takes too long before it is ready */
  async waitUntilReady(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.#child && performance.now() < deadline) {
      if (await isReady()) return;
      await sleep(20);
    }
    throw new Error(
      `the server did not start; its log ends with\n${(await this.log()).slice(-4_000)}`,
    );
  }

  /** Sends a signal that ends it, and waits for the end. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** SIGKILL for it and its children. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const exited = once(child, 'exit');
    await killTree(child.pid);
    await exited;
  }

  /** Freezes it and its children: connections stay open, nothing answers. */
  async pause(): Promise<void> {
    if (this.pid !== undefined) await signalTree(this.pid, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.pid !== undefined) await signalTree(this.pid, 'SIGCONT');
  }

  /** What it has written so far. */
  async log(): Promise<string> {
    return readFile(this.#logFile, 'utf8').catch(() => '');
  }

  /** Ends it, frozen or not, and removes its folder. */
  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    this.#watchdog.close();
  }
}
