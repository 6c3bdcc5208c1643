import { checkMasterKey, createSecretBox } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import {
  type Database,
  openDatabase,
  refuseUnsuitable,
  requireMigrations,
  requireWritable,
} from '@posthaste/postgres';
import {
  type ReadinessCheck,
  type Runnable,
  type RunnableConfig,
  untilMet,
  watchOutages,
} from '@posthaste/service';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { readWorkerConfig, type WorkerProcessConfig } from './config.js';
import { type DeliveryThreads, startDeliveryThreads } from './delivery-threads.js';
import { type EventStreams, startEventStreams } from './event-streams.js';
import { Housekeeping } from './housekeeping.js';
import { workerMigrations } from './migrations.js';
import { startMonitor } from './monitor.js';

/** Connections for event streams and housekeeping; delivery threads have their own. */
const ownConnections = 5;

/** Parts that checks and metrics read. Threads and streams start when the database is ready. */
interface WorkerParts {
  readonly db: Database;
  readonly registry: Registry;
  threads?: DeliveryThreads;
  streams?: EventStreams;
}

/**
 * Worker as a process of its own, on the Postgres of `DATABASE_URL`. While the database cannot be
 * reached or lacks migrations, the worker waits, and `/health/ready` answers 503 with the reason.
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
      synchronousCommit: platform.synchronousCommit,
      applicationName: 'posthaste-worker',
      logger,
    });
    await refuseUnsuitable(db);
    const outages = watchOutages(logger, {
      name: 'worker',
      async probe() {
        await requireWritable(db);
        await requireMigrations(db, workerMigrations);
      },
    });
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const parts: WorkerParts = { db, registry };
    const { monitorHost: host, monitorPort: port } = config;
    const monitor =
      port === undefined
        ? undefined
        : await startMonitor({ host, port }, checksOf(parts, config), () => metricsOf(parts));
    await untilMet(() => requireMigrations(db, workerMigrations), { signal: stopping, logger });
    const threads = await startDeliveryThreads({
      config,
      databaseUrl,
      maxConnections: platform.databaseConnections,
      synchronousCommit: platform.synchronousCommit,
      logLevel,
      logger,
      onDefect(error) {
        // Thrown outside of any handler, so that it ends the process like any other defect.
        setImmediate(() => {
          throw error;
        });
      },
    });
    parts.threads = threads;
    const streams = await startEventStreams({ config, db, registry, logger });
    parts.streams = streams;
    const housekeeping = new Housekeeping({ db, log: streams.log, logger }, config);
    logger.info({ monitor: monitor?.url }, 'the worker delivers');
    checkMasterKey(db, createSecretBox(config.secretKey)).catch((error: PlatformError) => {
      // An outage has lines of its own.
      if (error.code !== 'SECRET_UNREADABLE') return;
      logger.warn({ code: error.code }, `callbacks cannot be signed: ${error.message}`);
    });
    return {
      // Deliveries, housekeeping and streams stop at once; the database is closed when all have.
      async close(limitMs) {
        outages.stop();
        await Promise.all([threads.close(limitMs), housekeeping.close(), streams.close()]);
        await monitor?.close();
        await db.close();
      },
    };
  },
};

function checksOf(
  parts: WorkerParts,
  { kafkaBrokers, secretKey }: WorkerProcessConfig['worker'],
): ReadinessCheck[] {
  const { db } = parts;
  const box = createSecretBox(secretKey);
  const checks: ReadinessCheck[] = [
    { name: 'database', check: () => requireWritable(db) },
    { name: 'migrations', check: () => requireMigrations(db, workerMigrations) },
    { name: 'secret_key', check: () => checkMasterKey(db, box) },
  ];
  if (kafkaBrokers.length === 0) return checks;
  const check = async (): Promise<void> => {
    const relay = parts.streams?.relay;
    if (!relay)
      throw new PlatformError('STREAM_UNAVAILABLE', 'the relay to Kafka has not started yet');
    await relay.check();
  };
  return [...checks, { name: 'kafka', check, timeoutCode: 'STREAM_UNAVAILABLE' }];
}

/** Returns the metrics of the process and all its delivery threads, as text. */
async function metricsOf({ registry, threads }: WorkerParts): Promise<string> {
  const metrics = [await registry.getMetricsAsJSON(), ...((await threads?.metrics()) ?? [])];
  return AggregatorRegistry.aggregate(metrics).metrics();
}
