import { PlatformError } from '@posthaste/contracts';
import { openDatabase, pendingMigrations } from '@posthaste/postgres';
import type { Runnable, RunnableConfig } from '@posthaste/service';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { readWorkerConfig, type WorkerProcessConfig } from './config.js';
import { startDeliveryThreads } from './delivery-threads.js';
import { startEventStreams } from './event-streams.js';
import { Housekeeping } from './housekeeping.js';
import { workerMigrations } from './migrations.js';
import { type MonitorCheck, startMonitor } from './monitor.js';

/** For the event log and housekeeping; deliveries have connections of their own in threads. */
const ownConnections = 5;

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
      maxConnections: ownConnections,
      applicationName: 'posthaste-worker',
      logger,
    });
    const pending = await pendingMigrations(db, workerMigrations);
    if (pending.length > 0) {
      const message = `migrations are pending (${pending.length}): run "posthaste migrate" first`;
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
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const streams = await startEventStreams({ config, db, registry, logger });
    const housekeeping = new Housekeeping({ db, log: streams.log, logger }, config);
    const { monitorHost: host, monitorPort: port } = config;
    const metrics = async (): Promise<string> =>
      AggregatorRegistry.aggregate([
        await registry.getMetricsAsJSON(),
        ...(await threads.reports()),
      ]).metrics();
    const checks: MonitorCheck[] = [{ name: 'database', check: () => db.ping() }];
    const { relay } = streams;
    if (relay) checks.push({ name: 'kafka', check: () => relay.check() });
    const monitor =
      port === undefined ? undefined : await startMonitor({ host, port }, checks, metrics);
    logger.info({ monitor: monitor?.url }, 'the worker delivers');
    return {
      async close(limitMs) {
        await Promise.all([threads.close(limitMs), housekeeping.close(), streams.close()]);
        await monitor?.close();
        await db.close();
      },
    };
  },
};
