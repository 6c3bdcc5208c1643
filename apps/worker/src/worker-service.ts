import { callbacksMigrations } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import { openDatabase, pendingMigrations } from '@posthaste/postgres';
import type { Runnable, RunnableConfig } from '@posthaste/service';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { startCallbackWorker } from './callback-worker.js';
import { readWorkerConfig, type WorkerProcessConfig } from './config.js';
import { startMonitor } from './monitor.js';

/** The worker as a process of its own, on the Postgres of `DATABASE_URL`. */
export const workerService: Runnable<WorkerProcessConfig & RunnableConfig> = {
  name: 'worker',
  read(environment) {
    const config = readWorkerConfig(environment);
    const { logLevel, stopTimeoutMs } = config.platform;
    return { ...config, logLevel, stopTimeoutMs };
  },
  async start({ worker: config, platform }, logger) {
    const db = await openDatabase({
      url: platform.databaseUrl,
      maxConnections: platform.databaseConnections,
      applicationName: 'posthaste-worker',
      logger,
    });
    const pending = await pendingMigrations(db, [callbacksMigrations]);
    if (pending.length > 0) {
      const message = `${pending.length} migrations are not applied: run "posthaste migrate" first`;
      throw new PlatformError('MIGRATION_PENDING', message);
    }
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const { monitorHost: host, monitorPort: port } = config;
    const monitor =
      port === undefined ? undefined : await startMonitor({ host, port }, db, registry);
    const worker = await startCallbackWorker({ config, db, registry, logger });
    logger.info({ monitor: monitor?.url }, 'the worker delivers');
    return {
      async close(limitMs) {
        await worker.close(limitMs);
        await monitor?.close();
        await db.close();
      },
    };
  },
};
