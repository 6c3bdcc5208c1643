import { parentPort, workerData } from 'node:worker_threads';
import { deliverySessionSettings } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import { openPostgres } from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import { Registry } from 'prom-client';
import { startDeliveries } from './deliveries.js';
import type { FromThread, ThreadData, ToThread } from './thread-messages.js';

/*
 * The program of one delivery thread: started by DeliveryThreads, told by messages when to report
 * its metrics and when to stop. A defect ends it, and with it the process.
 */
const { config, share, database, logLevel } = workerData as ThreadData;
const port = parentPort;
if (!port) throw new Error('a delivery thread is started by a worker');

const send = (message: FromThread): void => port.postMessage(message);
const logger = createLogger({ level: logLevel, service: 'worker' });
const registry = new Registry();

try {
  const db = await openPostgres({
    ...database,
    applicationName: 'posthaste-worker',
    sessionSettings: deliverySessionSettings,
    logger,
  });
  const deliveries = await startDeliveries({ config, share, db, registry, logger });
  port.on('message', async (message: ToThread) => {
    switch (message.kind) {
      case 'report':
        send({ kind: 'report', id: message.id, metrics: await registry.getMetricsAsJSON() });
        return;
      case 'stop':
        await deliveries.close(message.limitMs);
        await db.close();
        port.close();
    }
  });
  send({ kind: 'ready' });
} catch (error) {
  if (!(error instanceof PlatformError)) throw error;
  // Thrown, it would reach the process without its class, and look like a defect.
  send({ kind: 'failed', code: error.code, message: error.message });
}
