/*
 * Program of one delivery thread. `DeliveryThreads` starts it and asks it by messages for its
 * metrics and to stop. A defect ends the thread, and with it the process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { deliverySessionSettings } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import { openPostgres } from '@posthaste/postgres';
import { createLogger, forwardFailures } from '@posthaste/service';
import { Registry } from 'prom-client';
import { startDeliveries } from './deliveries.js';
import type { MessageFromThread, MessageToThread, ThreadData } from './delivery-threads.js';

const { config, thread, database, logLevel } = workerData as ThreadData;
const port = parentPort;
if (!port) throw new Error('this program is started by DeliveryThreads, as a worker thread');

const send = (message: MessageFromThread): void => port.postMessage(message);
const logger = createLogger({ level: logLevel, service: 'worker' });
forwardFailures(logger, (failure) => send({ kind: 'database-failure', failure }));
const registry = new Registry();

try {
  const db = await openPostgres({
    ...database,
    applicationName: 'posthaste-worker',
    sessionSettings: deliverySessionSettings,
    logger,
  });
  const deliveries = await startDeliveries({ config, thread, db, registry, logger });
  port.on('message', async (message: MessageToThread) => {
    switch (message.kind) {
      case 'metrics':
        send({ kind: 'metrics', id: message.id, metrics: await registry.getMetricsAsJSON() });
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
  // If it were thrown, it would lose its class on the way to the main thread and look like a defect.
  send({ kind: 'failed', code: error.code, message: error.message });
}
