import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import type pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from '../database.js';
import { PooledDatabase } from '../session/pooled-database.js';
import { SessionPool } from '../session/session-pool.js';
import { driverTypes } from '../values/decode-values.js';
import { EmbeddedSocket } from './engine-socket.js';
import { EmbeddedEngines } from './engine-supervisor.js';
import { type FolderLock, lockFolder } from './folder-lock.js';
import { EmbeddedListener } from './listener.js';
import { EmbeddedUpkeep } from './maintenance.js';
import { makePrivateFolder } from './private-folder.js';

export interface EmbeddedOptions {
  /** Folder of the data, made when it is missing. Default: none, all is in memory. */
  readonly dataDir?: string | undefined;
  /** Longest wait for the one connection there is, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** Default: nobody. */
  readonly logger?: DatabaseLogger;
}

/**
 * A handle on PGlite: Postgres in a thread of this process. It has one connection, so transactions
 * and statements take turns. What was committed survives the end of the process, kill -9 included;
 * the end of the machine's power it may not, because PGlite does not wait for the disk.
 * @throws PlatformError `DATABASE_IN_USE` when another process has the folder open;
 *   `DATABASE_FOLDER_INVALID`, `DATABASE_FULL`, `DATABASE_READ_ONLY` or `DATABASE_ERROR` when it
 *   cannot be used
 */
export async function openEmbedded(options: EmbeddedOptions = {}): Promise<Database> {
  const { dataDir, connectTimeoutMs = 30_000, logger = silentLogger } = options;
  if (dataDir === undefined) return openCluster(undefined, connectTimeoutMs, logger);
  const lock = await takeFolder(dataDir);
  try {
    return await openCluster(new ClusterFolder(dataDir, lock), connectTimeoutMs, logger);
  } catch (error) {
    await lock.release();
    throw toFolderError(error, dataDir);
  }
}

async function openCluster(
  folder: ClusterFolder | undefined,
  connectTimeoutMs: number,
  logger: DatabaseLogger,
): Promise<Database> {
  await folder?.prepare();
  const engines = await EmbeddedEngines.begin(folder?.clusterDir);
  await folder?.confirm();
  const listener = new EmbeddedListener(logger);
  const pool = new SessionPool({
    connection: { ...connection, stream: () => new EmbeddedSocket(() => engines.next()) },
    maxConnections: 1,
    connectTimeoutMs,
    idleTimeoutMs: 0,
    answerTimeoutMs: 0,
    logger,
    onConnect: (session) => listener.attach(session),
  });
  const database = new PooledDatabase({
    kind: 'embedded',
    pool,
    listen: (channel, onNotification, onReconnect) =>
      listener.listen(pool, { channel, onNotification, onReconnect }),
    stop: () => upkeep.stop(),
    async close() {
      await engines.close();
      await folder?.lock.release();
    },
  });
  const upkeep = new EmbeddedUpkeep(database, logger);
  return database;
}

/** Said in full, because the driver would fill gaps from environment variables. */
const connection: pg.ClientConfig = {
  host: 'embedded',
  port: 5432,
  user: 'postgres',
  password: 'unused',
  database: 'postgres',
  ssl: false,
  types: driverTypes,
};

/**
 * The folder of an embedded database: `postgres/` with the cluster, the lock's sockets, and for the
 * time of the cluster's creation a mark, so that a creation cut short is begun anew.
 */
class ClusterFolder {
  readonly clusterDir: string;
  readonly lock: FolderLock;
  readonly #mark: string;

  constructor(dataDir: string, lock: FolderLock) {
    this.clusterDir = join(dataDir, 'postgres');
    this.lock = lock;
    this.#mark = join(dataDir, 'initializing');
  }

  async prepare(): Promise<void> {
    if (existsSync(this.#mark)) await rm(this.clusterDir, { recursive: true, force: true });
    else if (!existsSync(this.clusterDir)) await writeFile(this.#mark, '');
  }

  async confirm(): Promise<void> {
    await rm(this.#mark, { force: true });
  }
}

async function takeFolder(dataDir: string): Promise<FolderLock> {
  try {
    // Callbacks hold secrets: nobody else on the machine may read them.
    await makePrivateFolder(dataDir);
    return await lockFolder(dataDir);
  } catch (error) {
    throw toFolderError(error, dataDir);
  }
}

const codeBySystemError: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DATABASE_FULL',
  EDQUOT: 'DATABASE_FULL',
  EROFS: 'DATABASE_READ_ONLY',
  EACCES: 'DATABASE_READ_ONLY',
  EPERM: 'DATABASE_READ_ONLY',
  EEXIST: 'DATABASE_FOLDER_INVALID',
  EINVAL: 'DATABASE_FOLDER_INVALID',
  ELOOP: 'DATABASE_FOLDER_INVALID',
  ENAMETOOLONG: 'DATABASE_FOLDER_INVALID',
  ENOENT: 'DATABASE_FOLDER_INVALID',
  ENOTDIR: 'DATABASE_FOLDER_INVALID',
};

function toFolderError(error: unknown, dataDir: string): PlatformError {
  if (error instanceof PlatformError) return error;
  const systemCode = (error as NodeJS.ErrnoException).code ?? '';
  const code = codeBySystemError[systemCode] ?? 'DATABASE_ERROR';
  const reason = error instanceof Error ? error.message : String(error);
  return new PlatformError(code, `the database in ${dataDir} cannot be opened: ${reason}`, {
    cause: error,
  });
}
