import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killTree, signalTree } from './process-tree.js';
import type { UserIds } from './unprivileged-user.js';
import { startWatchdog, type Watchdog } from './watchdog.js';

/** Program to run as a server. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** User to run it as; undefined is the current user. */
  readonly user?: UserIds | undefined;
  /** Variables in addition to those of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A server program with its temporary folder. It can be started, stopped, crashed and started again on
 * the same data. When this process ends, for any reason, the server is killed and its folder removed.
 */
export class ServerProcess {
  readonly folder: string;
  readonly #logFile: string;
  readonly #watchdog: Watchdog;
  #child: ChildProcess | undefined;

  /** @param folder folder of the server, which `close` removes */
  constructor(folder: string) {
    this.folder = folder;
    this.#logFile = join(folder, 'server.log');
    this.#watchdog = startWatchdog({ folder });
  }

  /** Process id; undefined while the server is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the program in its folder. It may not be ready yet when this resolves. */
  async launch({ program, args, user, env }: ServerCommand): Promise<void> {
    // A file and not a pipe, because a server must not block on its log if the reader has died.
    const log = await open(this.#logFile, 'a');
    try {
      const child = spawn(program, args, {
        ...user,
        cwd: this.folder,
        env: { ...process.env, ...env },
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

  /**
   * Waits until `isReady` resolves to true.
   * @throws Error with the end of the log if the server ends or takes too long
   */
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

  /** Sends a signal that ends the server, and waits for its end. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Kills the server and its children. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const exited = once(child, 'exit');
    await killTree(child.pid);
    await exited;
  }

  /** Freezes the server and its children: connections stay open, and nothing responds. */
  async pause(): Promise<void> {
    if (this.pid !== undefined) await signalTree(this.pid, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.pid !== undefined) await signalTree(this.pid, 'SIGCONT');
  }

  /** Returns the output so far. */
  async log(): Promise<string> {
    return readFile(this.#logFile, 'utf8').catch(() => '');
  }

  /** Kills the server, frozen or not, and removes its folder. */
  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    this.#watchdog.close();
  }
}
