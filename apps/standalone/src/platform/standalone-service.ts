import { ApiKeys } from '@posthaste/access';
import { createSecretBox, markMasterKey } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import {
  createCallbackRoutes,
  createErasureRoutes,
  createEventRoutes,
  createPeopleRoutes,
  startEventOutbox,
  startGateway,
} from '@posthaste/gateway';
import { ambientDatabase, type Database, requireWritable } from '@posthaste/postgres';
import { type OutageWatch, type Runnable, type Service, watchOutages } from '@posthaste/service';
import { startCallbackWorker } from '@posthaste/worker';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { readStandaloneConfig, type StandaloneConfig } from './config.js';
import { migratePlatform, openPlatformDatabase } from './platform-database.js';
import { loadSecretKey } from './secret-key.js';

/** Running gateway and worker in one process. */
interface Standalone extends Service {
  /** URL of the gateway: `http://127.0.0.1:8080`. */
  readonly url: string;
}

/** Most keys that are checked to find one that is still valid. */
const maxKeysChecked = 1_000;

/** `posthaste start`: gateway and worker in this process, until a signal stops it. */
export const standaloneService: Runnable<StandaloneConfig> = {
  name: 'standalone',
  read: readStandaloneConfig,
  async start(config, logger) {
    const standalone = await startStandalone(config, logger);
    process.stdout.write(renderGreeting(standalone.url, config.gateway));
    return standalone;
  },
};

/**
 * Opens the database (embedded, unless the configuration names a Postgres), brings its tables up to
 * date, and starts gateway and worker on it.
 * @throws PlatformError `DATABASE_*`, `MIGRATION_MISMATCH`, `LISTEN_FAILED`; `CONFIG_INVALID` when
 *   access is by keys and there is no valid key
 */
async function startStandalone(config: StandaloneConfig, logger: Logger): Promise<Standalone> {
  const db = await openPlatformDatabase(config.platform, logger);
  try {
    const applied = await migratePlatform(db);
    if (applied.length > 0) {
      const names = applied.map(({ owner, version, name }) => `${owner} ${version}: ${name}`);
      logger.info({ applied: names }, 'migrated');
    }
    const outages = watchOutages(logger, { name: 'standalone', probe: () => requireWritable(db) });
    if (config.gateway.access === 'keys') await requireKey(db);
    return await startOnDatabase({ db, outages }, config, logger);
  } catch (error) {
    await db.close();
    throw error;
  }
}

/**
 * Refuses to start without a valid API key. Without one the gateway could not be called, and a key
 * could not be created either: the command for that cannot open the embedded database meanwhile.
 */
async function requireKey(db: Database): Promise<void> {
  const keys = new ApiKeys(db);
  const known = await keys.listKeys('all', { limit: maxKeysChecked });
  await keys.close();
  const now = new Date();
  if (known.some((key) => !key.revokedAt && (!key.expiresAt || key.expiresAt > now))) return;
  throw new PlatformError(
    'CONFIG_INVALID',
    'API keys are required on this address, and there is no valid one yet. Create one with "posthaste keys create --name admin --admin" (npm run -s posthaste -- keys create --name admin --admin), then start again.',
  );
}

async function startOnDatabase(
  { db, outages }: { readonly db: Database; readonly outages: OutageWatch },
  config: StandaloneConfig,
  logger: Logger,
): Promise<Standalone> {
  const secretKey = config.platform.secretKey ?? (await loadSecretKey(config.platform.dataDir));
  const registry = new Registry();
  const { callbackEvents } = config.worker;
  const outbox = startEventOutbox({ db, callbackEvents, logger });
  const changes = ambientDatabase(db);
  const callbacks = createCallbackRoutes({
    db,
    changes,
    config: { ...config.callbacks, secretKey },
    events: outbox.events,
  });
  const events = createEventRoutes({ db, changes, logger, registry, config: config.events });
  const people = createPeopleRoutes({
    db: changes,
    logger,
    config: { ...config.people, secretKey },
  });
  const closeRoutes = async (): Promise<void> => {
    await Promise.all([callbacks.close(), events.close(), people.close()]);
    await outbox.close();
  };
  // Before the worker: a process that cannot have its port delivers nothing.
  const gateway = await startGateway({
    config: config.gateway,
    db,
    changes,
    auditEvents: outbox.auditEvents,
    auditTargets: { ...callbacks.auditTargets, ...events.auditTargets, ...people.auditTargets },
    registry,
    logger,
    routes: [
      ...callbacks.routes,
      ...events.routes,
      ...people.routes,
      ...createErasureRoutes(changes),
    ],
    authenticators: people.authenticators,
    cookies: people.cookies,
    nameSources: [callbacks.nameSource],
    realtime: config.realtime,
  }).catch(async (error: unknown) => {
    await closeRoutes();
    throw error;
  });
  await markMasterKey(db, createSecretBox(secretKey)).catch((err: unknown) => {
    logger.warn({ err }, 'workers cannot check their secret key: it could not be stored');
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
    // Gateway and worker stop at once; what they use is closed after both.
    async close() {
      const limitMs = config.platform.stopTimeoutMs;
      outages.stop();
      await Promise.all([gateway.close(limitMs), worker.close(limitMs)]);
      await closeRoutes();
      await db.close();
    },
  };
}

interface GreetingOptions {
  readonly access: 'loopback' | 'keys';
  readonly docs: boolean;
}

/** Renders the URL and things to try. The callback of the example goes to the platform itself. */
function renderGreeting(url: string, { access, docs }: GreetingOptions): string {
  const local = url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  const key = access === 'keys' ? " -H 'Authorization: Bearer <key>'" : '';
  const callback = JSON.stringify({ url: `${local}/health/live`, method: 'GET', queue: 'first' });
  return `
  Posthaste listens on ${url}

  Send a callback
    curl${key} -H 'Content-Type: application/json' -d '${callback}' ${local}/v1/callbacks

  See its state, by the id in the answer
    curl${key} ${local}/v1/callbacks/<id>

${docs ? `  Read the API documentation\n    ${local}/docs\n\n` : ''}  For existing clients, the older wire format is on ${local}/callback

`;
}
