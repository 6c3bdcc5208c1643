import { PlatformError } from '@posthaste/contracts';
import {
  ApiKeys,
  createCallbackRoutes,
  createEventRoutes,
  startEventOutbox,
  startGateway,
} from '@posthaste/gateway';
import type { Database } from '@posthaste/postgres';
import type { Service } from '@posthaste/service';
import { startCallbackWorker } from '@posthaste/worker';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { StandaloneConfig } from './config.js';
import { migratePlatform, openPlatformDatabase } from './platform-database.js';
import { loadSecretKey } from './secret-key.js';

/** Gateway and worker in one process. */
export interface Standalone extends Service {
  /** Where it answers: `http://127.0.0.1:8080`. */
  readonly url: string;
}

/** Keys that are looked at to find one that is still good. */
const maxKeysSeen = 1_000;

/**
 * Opens the database (embedded, unless the configuration names a Postgres), brings its tables up to
 * date, and starts gateway and worker on it.
 * @throws PlatformError `DATABASE_*`, `MIGRATION_MISMATCH`, `LISTEN_FAILED`; `CONFIG_INVALID` when
 *   access is by keys and there is none
 */
export async function startStandalone(
  config: StandaloneConfig,
  logger: Logger,
): Promise<Standalone> {
  const db = await openPlatformDatabase(config.platform, logger);
  try {
    const applied = await migratePlatform(db);
    if (applied.length > 0) {
      const names = applied.map(({ owner, version, name }) => `${owner} ${version}: ${name}`);
      logger.info({ applied: names }, 'migrated');
    }
    if (config.gateway.access === 'keys') await requireKey(db);
    return await startOn(db, config, logger);
  } catch (error) {
    await db.close();
    throw error;
  }
}

/**
 * Nobody could get in, and nobody could make a key either: while this runs, the embedded database
 * is closed to the command that does.
 */
async function requireKey(db: Database): Promise<void> {
  const keys = new ApiKeys(db);
  const known = await keys.listKeys({ limit: maxKeysSeen });
  await keys.close();
  const now = new Date();
  if (known.some((key) => !key.revokedAt && (!key.expiresAt || key.expiresAt > now))) return;
  throw new PlatformError(
    'CONFIG_INVALID',
    'API keys are needed here, and there is none yet. Create one with "posthaste keys create --name admin" (npm run -s posthaste -- keys create --name admin), then start again.',
  );
}

async function startOn(
  db: Database,
  config: StandaloneConfig,
  logger: Logger,
): Promise<Standalone> {
  const secretKey = config.platform.secretKey ?? (await loadSecretKey(config.platform.dataDir));
  const registry = new Registry();
  const { callbackEvents } = config.worker;
  const telling = startEventOutbox({ db, callbackEvents, logger });
  const callbacks = createCallbackRoutes({
    db,
    config: { ...config.callbacks, secretKey },
    events: telling.events,
  });
  const events = createEventRoutes({ db, logger, registry, config: config.events });
  const closeRoutes = async (): Promise<void> => {
    await Promise.all([callbacks.close(), events.close()]);
    await telling.close();
  };
  // Before the worker: nothing is delivered by a process that cannot have its port.
  const gateway = await startGateway({
    config: config.gateway,
    db,
    registry,
    logger,
    routes: [...callbacks.routes, ...events.routes],
  }).catch(async (error: unknown) => {
    await closeRoutes();
    throw error;
  });
  const worker = await startCallbackWorker({
    config: { ...config.worker, secretKey },
    db,
    registry,
    logger,
  }).catch(async (error: unknown) => {
    await gateway.close(0);
    await closeRoutes();
    throw error;
  });
  return {
    url: gateway.url,
    async close(limitMs) {
      await Promise.all([gateway.close(limitMs), worker.close(limitMs)]);
      await closeRoutes();
      await db.close();
    },
  };
}
