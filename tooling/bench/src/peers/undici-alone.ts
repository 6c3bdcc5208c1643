import pg from 'pg';
import type { Peer, PostJob } from './peer.js';

/**
 * No queue: only the POSTs, from one process, without leases and without records. It shows the upper
 * limit of sender, kernel and receiver on this machine.
 */
export const undiciAlone: Peer = {
  name: 'undici alone',
  store: 'postgres',
  candidates: [{ concurrentPosts: 128 }],

  async prepare(storeUrl) {
    await withClient(storeUrl, (client) =>
      client.query('create table todo (count integer not null, job json not null)'),
    );
  },

  async add(storeUrl, count, job) {
    await withClient(storeUrl, (client) =>
      client.query('insert into todo values ($1, $2)', [count, JSON.stringify(job)]),
    );
  },

  async work(storeUrl, { concurrentPosts }, post) {
    const { rows } = await withClient(storeUrl, (client) =>
      client.query<{ count: number; job: PostJob }>('select count, job from todo'),
    );
    let [{ count: left, job }] = rows as [{ count: number; job: PostJob }];
    const posting = Array.from({ length: Number(concurrentPosts) }, async () => {
      while (left > 0) {
        left -= 1;
        await post(job);
      }
    });
    return async () => {
      left = 0;
      await Promise.all(posting);
    };
  },
};

async function withClient<T>(
  storeUrl: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(storeUrl);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
