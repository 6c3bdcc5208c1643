import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, PlatformError } from '@posthaste/contracts';
import type pg from 'pg';
import { type Database, type DatabaseLogger, silentLogger } from '../database.js';
import { PooledDatabase } from '../session/pooled-database.js';
import { SessionPool } from '../session/session-pool.js';
import { setUpStatement } from '../session/session-settings.js';
import { driverTypes } from '../values/decode-values.js';
import { EngineSocket } from './engine-socket.js';
import { EngineSupervisor } from './engine-supervisor.js';
import { type FolderLock, lockFolder } from './folder-lock.js';
import { EmbeddedListener } from './listener.js';
import { EmbeddedMaintenance } from './maintenance.js';
import { makePrivateFolder } from './private-folder.js';

/** Options of `openEmbedded`. */
export interface EmbeddedOptions {
  /** Folder of the data, created if it is missing. Default: none, the data is in memory. */
  readonly dataDir?: string | undefined;
  /** Longest wait for the only connection, in ms. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** Gets a line for each problem that no caller gets as an error. Default: no logger. */
  readonly logger?: DatabaseLogger;
}

/**
 * Opens a handle on PGlite: Postgres in a thread of this process. It has one connection, so
 * transactions and statements run one after another. Committed data survives the end of the process,
 * kill -9 included. It may not survive a power cut, because PGlite does not wait for the disk.
 * @throws PlatformError `DATABASE_IN_USE` if another process has the folder open;
 *   `DATABASE_FOLDER_INVALID`, `DATABASE_FULL`, `DATABASE_READ_ONLY` or `DATABASE_ERROR` if the folder
 *   cannot be used
 */
export async function openEmbedded(options: EmbeddedOptions = {}): Promise<Database> {
  const { dataDir, connectTimeoutMs = 30_000, logger = silentLogger } = options;
  if (dataDir === undefined) return openCluster(undefined, connectTimeoutMs, logger);
  const lock = await lockDataFolder(dataDir);
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
  const supervisor = await EngineSupervisor.start(folder?.clusterDir);
  await folder?.confirm();
  const listener = new EmbeddedListener(logger);
  const pool = new SessionPool({
    connection: { ...connection, stream: () => new EngineSocket(() => supervisor.unusedEngine()) },
    maxConnections: 1,
    connectTimeoutMs,
    idleTimeoutMs: 0,
    responseTimeoutMs: 0,
    logger,
    onConnect: async (session) => {
      await session.run(setUp);
      await listener.attach(session);
    },
  });
  const database = new PooledDatabase({
    kind: 'embedded',
    pool,
    listen: (channel, onNotification, onReconnect) =>
      listener.listen(pool, { channel, onNotification, onReconnect }),
    stop: () => maintenance.stop(),
    async close() {
      await supervisor.close();
      await folder?.lock.release();
    },
  });
  const maintenance = new EmbeddedMaintenance(database, logger);
  return database;
}

/** Applies the same settings as on a server. */
const setUp = setUpStatement();

/** Complete, because the driver would read missing values from environment variables. */
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
 * Folder of an embedded database: `postgres/` with the cluster, the sockets of the lock, and a marker
 * file while the cluster is being created, so that an interrupted creation starts again.
 */
class ClusterFolder {
  readonly clusterDir: string;
  readonly lock: FolderLock;
  readonly #marker: string;

  constructor(dataDir: string, lock: FolderLock) {
    this.clusterDir = join(dataDir, 'postgres');
    this.lock = lock;
    this.#marker = join(dataDir, 'initializing');
  }

  /** Removes a cluster that was not completed, and writes the marker before a new one is created. */
  async prepare(): Promise<void> {
    if (existsSync(this.#marker)) await rm(this.clusterDir, { recursive: true, force: true });
    else if (!existsSync(this.clusterDir)) await writeFile(this.#marker, '');
  }

  /** Removes the marker: the cluster is complete. */
  async confirm(): Promise<void> {
    await rm(this.#marker, { force: true });
  }
}

async function lockDataFolder(dataDir: string): Promise<FolderLock> {
  try {
    // Callbacks contain secrets, so other users of the machine must not read the folder.
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
