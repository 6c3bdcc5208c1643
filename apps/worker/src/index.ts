export { startCallbackWorker } from './callback-worker.js';
export { type WorkerConfig, workerFaults } from './config.js';
export { workerService } from './worker-service.js';
