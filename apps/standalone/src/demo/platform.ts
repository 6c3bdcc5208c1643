import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningProcess, startProcess } from '@posthaste/testbed';

/** Program of the posthaste command itself. */
const program = fileURLToPath(new URL('../main.js', import.meta.url));

/** Longest time of one attempt, in ms: short, because the demo's receiver often does not answer. */
export const attemptTimeoutMs = 1_000;

/** Standalone in a process of its own, with its data in a temporary folder. */
export class DemoPlatform {
  readonly url: string;
  /** Rejects with the last output of the process when it ends by itself. */
  readonly crashed: Promise<never>;
  readonly #reportCrash: (error: Error) => void;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  #process: RunningProcess | undefined;
  #starting: Promise<unknown> = Promise.resolve();
  #ending = false;

  private constructor(folder: string, port: number) {
    const { promise, reject } = Promise.withResolvers<never>();
    this.crashed = promise;
    // Without this, a crash would be an unhandled rejection when no code waits for the promise.
    promise.catch(() => undefined);
    this.#reportCrash = reject;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = {
      POSTHASTE_DATA_DIR: folder,
      POSTHASTE_PORT: String(port),
      POSTHASTE_CALLBACK_TIMEOUT: `${attemptTimeoutMs}ms`,
      // Short, so that attempts under way at a kill are soon sent again.
      POSTHASTE_CALLBACK_LEASE: `${attemptTimeoutMs + 2_000}ms`,
      // The demo is not about load: a busy machine must not make requests be refused.
      POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
      // The receiver comes back soon after it fails.
      POSTHASTE_MIN_RETRY_DELAY: '250ms',
      POSTHASTE_LOG_LEVEL: 'error',
    };
  }

  /** Starts it on a free port. @throws Error with the output of the process when it does not start */
  static async start(): Promise<DemoPlatform> {
    const folder = await mkdtemp(join(tmpdir(), 'posthaste-demo-'));
    const platform = new DemoPlatform(folder, await freePort());
    try {
      await platform.startAgain();
      return platform;
    } catch (error) {
      await platform.close();
      throw error;
    }
  }

  /** Starts it again on the same data and port. */
  async startAgain(): Promise<void> {
    const starting = startProcess({
      args: ['--disable-warning=ExperimentalWarning', program, 'start'],
      env: this.#environment,
      ready: new URL('/health/ready', this.url),
      readyTimeoutMs: 60_000,
    });
    this.#starting = starting.catch(() => undefined);
    this.#process = await starting;
    this.#ending = false;
    void this.#watch(this.#process);
  }

  /** Ends it with SIGKILL, so that it cannot clean up. */
  async kill(): Promise<void> {
    this.#ending = true;
    await this.#process?.kill();
  }

  /** Ends it and removes its data. Idempotent. */
  async close(): Promise<void> {
    // A process that is still starting would otherwise outlive the folder.
    await this.#starting;
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #watch(process: RunningProcess): Promise<void> {
    await process.exited;
    if (this.#ending) return;
    const output = process.output.slice(-2_000);
    this.#reportCrash(new Error(`Posthaste ended by itself; its last output:\n${output}`));
  }
}
