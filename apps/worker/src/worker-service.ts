import { PlatformError } from '@posthaste/contracts';
import { openDatabase, pendingMigrations } from '@posthaste/postgres';
import type { Runnable, RunnableConfig } from '@posthaste/service';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { readWorkerConfig, type WorkerProcessConfig } from './config.js';
import { startDeliveryThreads } from './delivery-threads.js';
import { Housekeeping } from './housekeeping.js';
import { workerMigrations } from './migrations.js';
import { startMonitor } from './monitor.js';

/** Housekeeping alone works on the process's own connections; deliveries have theirs in threads. */
const housekeepingConnections = 3;

/** The worker as a process of its own, on the Postgres of `DATABASE_URL`. */
export const workerService: Runnable<WorkerProcessConfig & RunnableConfig> = {
  name: 'worker',
  read(environment) {
    const config = readWorkerConfig(environment);
    const { logLevel, stopTimeoutMs } = config.platform;
    return { ...config, logLevel, stopTimeoutMs };
  },
  async start({ worker: config, platform }, logger) {
    const { databaseUrl, logLevel } = platform;
    const db = await openDatabase({
      url: databaseUrl,
      maxConnections: housekeepingConnections,
      applicationName: 'posthaste-worker',
      logger,
    });
    const pending = await pendingMigrations(db, workerMigrations);
    if (pending.length > 0) {
      const message = `${pending.length} migrations are not applied: run "posthaste migrate" first`;
      throw new PlatformError('MIGRATION_PENDING', message);
    }
    const threads = await startDeliveryThreads({
      config,
      databaseUrl,
      maxConnections: platform.databaseConnections,
      logLevel,
      onDefect(error) {
        // Thrown where nobody catches it: what ends the process on any other defect ends it here.
        setImmediate(() => {
          throw error;
        });
      },
    });
    const housekeeping = new Housekeeping(db, logger, config);
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const { monitorHost: host, monitorPort: port } = config;
    const metrics = async (): Promise<string> =>
      AggregatorRegistry.aggregate([
        await registry.getMetricsAsJSON(),
        ...(await threads.reports()),
      ]).metrics();
    const monitor =
      port === undefined ? undefined : await startMonitor({ host, port }, db, metrics);
    logger.info({ monitor: monitor?.url }, 'the worker delivers');
    return {
      async close(limitMs) {
        await Promise.all([threads.close(limitMs), housekeeping.close()]);
        await monitor?.close();
        await db.close();
      },
    };
  },
};
