import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { createCallbackRoutes, gatewayMigrations, startGateway } from '@posthaste/gateway';
import { type Database, migrate, openDatabase } from '@posthaste/postgres';
import type { Service } from '@posthaste/service';
import { startCallbackWorker } from '@posthaste/worker';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { StandaloneConfig } from './config.js';
import { loadSecretKey } from './secret-key.js';

/** Gateway and worker in one process. */
export interface Standalone extends Service {
  /** Where it answers: `http://127.0.0.1:8080`. */
  readonly url: string;
}

/** Days of partitions that are there before the first callback is taken. */
const daysAhead = 7;

/**
 * Opens the database (embedded, unless the configuration names a Postgres), brings its tables up to
 * date, and starts gateway and worker on it.
 * @throws PlatformError `DATABASE_*`, `MIGRATION_MISMATCH`, `LISTEN_FAILED`
 */
export async function startStandalone(
  config: StandaloneConfig,
  logger: Logger,
): Promise<Standalone> {
  const db = await openStandaloneDatabase(config, logger);
  try {
    return await startOn(db, config, logger);
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** The database of the standalone, migrated. @throws PlatformError `DATABASE_*`, `MIGRATION_MISMATCH` */
export async function openStandaloneDatabase(
  { platform }: Pick<StandaloneConfig, 'platform'>,
  logger: Logger,
): Promise<Database> {
  const { databaseUrl: url, databaseConnections: maxConnections, dataDir } = platform;
  if (url === undefined) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const db = await openDatabase({
    ...(url === undefined ? { dataDir: join(dataDir, 'database') } : { url, maxConnections }),
    applicationName: 'posthaste',
    logger,
  });
  try {
    const applied = await migrate(db, [gatewayMigrations, callbacksMigrations]);
    if (applied.length > 0) logger.info({ applied: applied.length }, 'the database is up to date');
    await ensurePartitions(db, { daysAhead });
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function startOn(
  db: Database,
  config: StandaloneConfig,
  logger: Logger,
): Promise<Standalone> {
  const { platform } = config;
  const secretKey = platform.secretKey ?? (await loadSecretKey(platform.dataDir));
  const registry = new Registry();
  const worker = await startCallbackWorker({
    config: { ...config.worker, secretKey },
    db,
    registry,
    logger,
  });
  const callbacks = createCallbackRoutes({ db, config: { ...config.callbacks, secretKey } });
  const gateway = await startGateway({
    config: config.gateway,
    db,
    registry,
    logger,
    routes: callbacks.routes,
  }).catch(async (error: unknown) => {
    await callbacks.close();
    await worker.close(0);
    throw error;
  });
  return {
    url: gateway.url,
    async close(limitMs) {
      await gateway.close(limitMs);
      await callbacks.close();
      await worker.close(limitMs);
      await db.close();
    },
  };
}
