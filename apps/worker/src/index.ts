export { type CallbackWorker, startCallbackWorker } from './callback-worker.js';
export { type WorkerConfig, workerFaults } from './config.js';
export type { Deliveries, DeliveriesDeps } from './deliveries.js';
export { workerService } from './worker-service.js';
