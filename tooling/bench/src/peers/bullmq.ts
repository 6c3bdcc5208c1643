import { Queue, Worker } from 'bullmq';
import type { Peer, PostJob } from './peer.js';

const queueName = 'post';
const jobsPerInsert = 1_000;

/** BullMQ. Finished jobs are removed at once, which is its fastest mode. */
export const bullmq: Peer = {
  name: 'bullmq',
  store: 'redis',
  candidates: [
    { workers: 1, concurrency: 128 },
    { workers: 1, concurrency: 64 },
    { workers: 1, concurrency: 256 },
    { workers: 1, concurrency: 512 },
    { workers: 2, concurrency: 128 },
  ],

  async prepare() {
    // Queues need no preparation.
  },

  async add(storeUrl, count, job) {
    const queue = new Queue<PostJob>(queueName, { connection: { url: storeUrl } });
    for (let added = 0; added < count; added += jobsPerInsert) {
      const size = Math.min(jobsPerInsert, count - added);
      await queue.addBulk(
        Array.from({ length: size }, () => ({
          name: 'post',
          data: job,
          opts: { removeOnComplete: true },
        })),
      );
    }
    await queue.close();
  },

  async work(storeUrl, settings, post) {
    const workers = Array.from({ length: Number(settings.workers) }, () => {
      const worker = new Worker<PostJob>(queueName, ({ data }) => post(data), {
        connection: { url: storeUrl, maxRetriesPerRequest: null },
        concurrency: Number(settings.concurrency),
      });
      return worker.on('error', (error) => console.error(error));
    });
    await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    return async () => {
      await Promise.all(workers.map((worker) => worker.close()));
    };
  },
};
