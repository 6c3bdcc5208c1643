import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type RunningProcess, startProcess } from '@posthaste/testbed';

/** The posthaste command itself. */
const program = fileURLToPath(new URL('../main.js', import.meta.url));

/** Time of one attempt, in ms: short, because the receiver of the demo often never answers. */
export const attemptTimeoutMs = 1_000;

/** A standalone in a process of its own, with its data in a temporary folder. */
export class DemoPlatform {
  readonly url: string;
  /** Rejects with its last output when it ends by itself. */
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
    // Nobody may be listening any more.
    promise.catch(() => undefined);
    this.#reportCrash = reject;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.#environment = {
      POSTHASTE_DATA_DIR: folder,
      POSTHASTE_PORT: String(port),
      POSTHASTE_CALLBACK_TIMEOUT: `${attemptTimeoutMs}ms`,
      // What was under way at a kill is sent again when its lease has run out: soon.
      POSTHASTE_CALLBACK_LEASE: `${attemptTimeoutMs + 2_000}ms`,
      POSTHASTE_LOG_LEVEL: 'error',
    };
  }

  /** @throws Error with its output when it does not start */
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

  /** Starts it on the same data and port. */
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

  /** SIGKILL: it has no say in it. */
  async kill(): Promise<void> {
    this.#ending = true;
    await this.#process?.kill();
  }

  /** Ends it and removes its data. */
  async close(): Promise<void> {
    // One that is just starting would outlive the folder.
    await this.#starting;
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #watch(process: RunningProcess): Promise<void> {
    await process.exited;
    if (this.#ending) return;
    const output = process.output.slice(-2_000);
    this.#reportCrash(new Error(`Posthaste ended by itself; the end of its output:\n${output}`));
  }
}
