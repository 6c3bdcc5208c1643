import { PlatformError } from '@posthaste/contracts';
import { type Database, openDatabase, requireMigrations } from '@posthaste/postgres';
import {
  type ReadinessCheck,
  type Runnable,
  type RunnableConfig,
  untilMet,
} from '@posthaste/service';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { readWorkerConfig, type WorkerProcessConfig } from './config.js';
import { type DeliveryThreads, startDeliveryThreads } from './delivery-threads.js';
import { type EventStreams, startEventStreams } from './event-streams.js';
import { Housekeeping } from './housekeeping.js';
import { workerMigrations } from './migrations.js';
import { startMonitor } from './monitor.js';

/** For the event log and housekeeping; deliveries have connections of their own in threads. */
const ownConnections = 5;

/** What is watched; deliveries and streams are there when the database is. */
interface Watched {
  readonly db: Database;
  readonly registry: Registry;
  threads?: DeliveryThreads;
  streams?: EventStreams;
}

/**
 * The worker as a process of its own, on the Postgres of `DATABASE_URL`. While that is away, or
 * lacks migrations, it waits: `/health/ready` says so until it is as it must be.
 */
export const workerService: Runnable<WorkerProcessConfig & RunnableConfig> = {
  name: 'worker',
  read(environment) {
    const config = readWorkerConfig(environment);
    const { logLevel, stopTimeoutMs } = config.platform;
    return { ...config, logLevel, stopTimeoutMs };
  },
  async start({ worker: config, platform }, logger, stopping) {
    const { databaseUrl, logLevel } = platform;
    const db = await openDatabase({
      url: databaseUrl,
      maxConnections: ownConnections,
      applicationName: 'posthaste-worker',
      logger,
    });
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const watched: Watched = { db, registry };
    const { monitorHost: host, monitorPort: port } = config;
    const monitor =
      port === undefined
        ? undefined
        : await startMonitor({ host, port }, checksOf(watched, config), () => metricsOf(watched));
    await untilMet(() => requireMigrations(db, workerMigrations), { signal: stopping, logger });
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
    watched.threads = threads;
    const streams = await startEventStreams({ config, db, registry, logger });
    watched.streams = streams;
    const housekeeping = new Housekeeping({ db, log: streams.log, logger }, config);
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

function checksOf(
  watched: Watched,
  { kafkaBrokers }: WorkerProcessConfig['worker'],
): ReadinessCheck[] {
  const { db } = watched;
  const checks: ReadinessCheck[] = [
    { name: 'database', check: () => db.ping() },
    { name: 'migrations', check: () => requireMigrations(db, workerMigrations) },
  ];
  if (kafkaBrokers.length === 0) return checks;
  const check = async (): Promise<void> => {
    const relay = watched.streams?.relay;
    if (!relay) throw new PlatformError('STREAM_UNAVAILABLE', 'the relay has not started');
    await relay.check();
  };
  return [...checks, { name: 'kafka', check, timeoutCode: 'STREAM_UNAVAILABLE' }];
}

/** Of the process and all its threads. */
async function metricsOf({ registry, threads }: Watched): Promise<string> {
  const reports = [await registry.getMetricsAsJSON(), ...((await threads?.reports()) ?? [])];
  return AggregatorRegistry.aggregate(reports).metrics();
}
