import { PgBoss } from 'pg-boss';
import type { Peer, PostJob } from './peer.js';

const queue = 'post';
const jobsPerInsert = 1_000;

/** pg-boss with batches: `localConcurrency` loops, each of which fetches, posts and completes a batch. */
export const pgBoss: Peer = {
  name: 'pg-boss',
  store: 'postgres',
  candidates: [
    { localConcurrency: 4, batchSize: 256 },
    { localConcurrency: 2, batchSize: 64 },
    { localConcurrency: 2, batchSize: 256 },
    { localConcurrency: 2, batchSize: 512 },
    { localConcurrency: 3, batchSize: 256 },
    { localConcurrency: 4, batchSize: 128 },
  ],

  async prepare(storeUrl) {
    const boss = new PgBoss(storeUrl);
    await boss.start();
    await boss.createQueue(queue);
    await boss.stop({ graceful: false });
  },

  async add(storeUrl, count, job) {
    const boss = new PgBoss({ connectionString: storeUrl, supervise: false, schedule: false });
    await boss.start();
    for (let added = 0; added < count; added += jobsPerInsert) {
      const size = Math.min(jobsPerInsert, count - added);
      await boss.insert(
        queue,
        Array.from({ length: size }, () => ({ data: job })),
      );
    }
    await boss.stop({ graceful: false });
  },

  async work(storeUrl, settings, post) {
    const boss = new PgBoss({ connectionString: storeUrl, schedule: false });
    boss.on('error', (error) => console.error(error));
    await boss.start();
    await boss.work<PostJob>(
      queue,
      {
        batchSize: Number(settings.batchSize),
        localConcurrency: Number(settings.localConcurrency),
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      },
      async (jobs) => {
        await Promise.all(jobs.map(({ data }) => post(data)));
      },
    );
    return () => boss.stop();
  },
};
