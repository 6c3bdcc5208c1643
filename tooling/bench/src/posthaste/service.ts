import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { ApiKeys, ApplicationRegistry, accessMigrations } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { freePort } from '@posthaste/testbed';
import { benchApplication } from '../callback-request.js';
import type { CallbackService, ServiceProcess } from '../contender.js';
import { startProcess } from '../service-process.js';
import { seedCallbacks } from './seed.js';

/**
 * Settings for the benchmark. One receiver gets all callbacks, so its share may be larger than the
 * default share of one host; and nothing else on the machine needs a core.
 */
const tuned = {
  POSTHASTE_WORKER_THREADS: String(availableParallelism()),
  POSTHASTE_WORKER_CONCURRENCY: '1024',
  POSTHASTE_WORKER_CONCURRENCY_PER_APPLICATION: '1024',
  POSTHASTE_WORKER_CONCURRENCY_PER_HOST: '512',
} as const;

/** Settings to run beside the receiver on one machine. All others have their defaults. */
const environment: Readonly<Record<string, string>> = {
  POSTHASTE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
  POSTHASTE_ALLOW_LOOPBACK: 'true',
  POSTHASTE_LOG_LEVEL: 'error',
  POSTHASTE_ACCESS: 'loopback',
};

/** Our callbacks: the worker and the gateway as they are deployed. */
export const posthaste: CallbackService = {
  name: 'posthaste',
  store: 'postgres',
  settings: tuned,
  async prepare(storeUrl) {
    await withDatabase(storeUrl, async (db) => {
      await migrate(db, [
        accessMigrations,
        callbacksMigrations,
        eventstreamMigrations,
        eventLogMigrations,
        realtimeMigrations,
      ]);
      await ensurePartitions(db, { daysAhead: 2 });
    });
  },
  async seed(storeUrl, seed) {
    await withDatabase(storeUrl, (db) => seedCallbacks(db, seed));
  },
  startWorker: (storeUrl, settings) => startService('worker', storeUrl, { ...tuned, ...settings }),
  async startGateway(storeUrl, access = 'loopback') {
    const port = await freePort();
    const token = access === 'key' ? await createLimitedKey(storeUrl) : undefined;
    const gateway = await startService('gateway', storeUrl, {
      POSTHASTE_PORT: String(port),
      ...(token === undefined ? {} : { POSTHASTE_ACCESS: 'keys' }),
    });
    return {
      ...gateway,
      callbackUrl: `http://127.0.0.1:${port}/callback`,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    };
  },
};

/** A limit that is checked at every callback and never reached. */
const farLimit = 1_000_000_000;

/** Creates a key of the application of the callbacks, which has all limits. Returns its token. */
async function createLimitedKey(storeUrl: string): Promise<string> {
  let token = '';
  await withDatabase(storeUrl, async (db) => {
    await new ApplicationRegistry(db).create(benchApplication, {
      limits: {
        requestsPerSecond: farLimit,
        deliveriesPerSecond: farLimit,
        eventsPerSecond: farLimit,
        backlog: farLimit,
        endpoints: farLimit,
        storedBytes: farLimit * 1_000,
      },
    });
    const applications = [benchApplication];
    const keys = new ApiKeys(db);
    ({ token } = await keys.createKey({
      name: 'bench',
      scopes: ['callbacks:write'],
      applications,
    }));
    await keys.close();
  });
  return token;
}

/** Starts a worker or a gateway as it is deployed. @param settings in addition to those of every run */
export function startService(
  service: 'worker' | 'gateway',
  storeUrl: string,
  settings: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const script = fileURLToPath(new URL('service-process.js', import.meta.url));
  const env = { ...environment, ...settings, DATABASE_URL: storeUrl };
  return startProcess(script, [service], env);
}

/** Opens the database of a store for some work. */
export async function withDatabase(
  storeUrl: string,
  work: (db: Database) => Promise<void>,
): Promise<void> {
  const db = await openPostgres({ url: storeUrl, statementTimeoutMs: 0 });
  try {
    await work(db);
  } finally {
    await db.close();
  }
}
