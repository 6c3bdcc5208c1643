import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

const tickMs = 1;

export interface PacedPosts {
  readonly url: string;
  /** Called right before each request is sent. */
  readonly body: () => string;
  readonly perSecond: number;
  readonly count: number;
  readonly connections: number;
}

/**
 * Sends POSTs at a fixed rate, whatever the answers take, and gives the times they took, in ms.
 *
 * @throws Error when one is not answered 201.
 */
export async function postAtPace(posts: PacedPosts): Promise<number[]> {
  const dispatcher = new Agent({ connections: posts.connections });
  const startMs = performance.now();
  const answered: Promise<number>[] = [];
  while (answered.length < posts.count) {
    const owed = ((performance.now() - startMs) / 1000) * posts.perSecond;
    while (answered.length < Math.min(owed, posts.count)) answered.push(post(posts, dispatcher));
    await sleep(tickMs);
  }
  try {
    return await Promise.all(answered);
  } finally {
    await dispatcher.close();
  }
}

async function post({ url, body }: PacedPosts, dispatcher: Agent): Promise<number> {
  const sentMs = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await request(url, { method: 'POST', headers, body: body(), dispatcher });
  await response.body.dump();
  if (response.statusCode !== 201) throw new Error(`${url} answered ${response.statusCode}`);
  return performance.now() - sentMs;
}
