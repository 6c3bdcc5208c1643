import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import type { Peer, PostJob } from './peer.js';

const jobsPerInsert = 1_000;
const silent = new Logger(() => () => {});

/** Graphile Worker with its local queue and batched completion. */
export const graphileWorker: Peer = {
  name: 'graphile-worker',
  store: 'postgres',
  candidates: [
    { concurrentJobs: 128, localQueueSize: 500, batchDelayMs: 100 },
    { concurrentJobs: 128, localQueueSize: 500, batchDelayMs: 0 },
    { concurrentJobs: 128, localQueueSize: 500, batchDelayMs: 250 },
    { concurrentJobs: 128, localQueueSize: 250, batchDelayMs: 100 },
    { concurrentJobs: 128, localQueueSize: 1_000, batchDelayMs: 100 },
    { concurrentJobs: 64, localQueueSize: 500, batchDelayMs: 100 },
  ],

  async prepare(storeUrl) {
    const utils = await makeWorkerUtils({ connectionString: storeUrl, logger: silent });
    try {
      await utils.migrate();
    } finally {
      await utils.release();
    }
  },

  async add(storeUrl, count, job) {
    const utils = await makeWorkerUtils({ connectionString: storeUrl, logger: silent });
    try {
      for (let added = 0; added < count; added += jobsPerInsert) {
        const size = Math.min(jobsPerInsert, count - added);
        await utils.addJobs(
          Array.from({ length: size }, () => ({ identifier: 'post', payload: job })),
        );
      }
    } finally {
      await utils.release();
    }
  },

  async work(storeUrl, settings, post) {
    const { concurrentJobs, localQueueSize, batchDelayMs } = settings;
    const runner = await run({
      preset: {
        worker: {
          connectionString: storeUrl,
          concurrentJobs: Number(concurrentJobs),
          localQueue: { size: Number(localQueueSize) },
          completeJobBatchDelay: Number(batchDelayMs),
          failJobBatchDelay: Number(batchDelayMs),
          logger: silent,
        },
      },
      noHandleSignals: true,
      taskList: { post: (payload) => post(payload as PostJob) },
    });
    return () => runner.stop();
  },
};
