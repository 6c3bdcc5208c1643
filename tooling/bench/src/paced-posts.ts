import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

const tickMs = 1;

/** POSTs to send at a fixed rate. */
export interface PacedPosts {
  readonly url: string;
  /** Returns the body of the next request; called right before it is sent. */
  readonly body: () => string;
  readonly perSecond: number;
  readonly count: number;
  readonly connections: number;
}

/**
 * Sends POSTs at a fixed rate, without waiting for the responses. Resolves to their durations, in ms.
 *
 * @throws Error if a response is not 201
 */
export async function postAtPace(posts: PacedPosts): Promise<number[]> {
  const dispatcher = new Agent({ connections: posts.connections });
  const startMs = performance.now();
  const durations: Promise<number>[] = [];
  while (durations.length < posts.count) {
    const due = ((performance.now() - startMs) / 1000) * posts.perSecond;
    while (durations.length < Math.min(due, posts.count)) durations.push(post(posts, dispatcher));
    await sleep(tickMs);
  }
  try {
    return await Promise.all(durations);
  } finally {
    await dispatcher.close();
  }
}

async function post({ url, body }: PacedPosts, dispatcher: Agent): Promise<number> {
  const sentMs = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await request(url, { method: 'POST', headers, body: body(), dispatcher });
  await response.body.dump();
  if (response.statusCode !== 201) throw new Error(`${url} responded with ${response.statusCode}`);
  return performance.now() - sentMs;
}
