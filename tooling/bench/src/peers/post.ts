import { Agent, request } from 'undici';
import type { PostJob } from './peer.js';

/** Most requests in flight, and most connections, of one worker process. */
export const maxInFlight = 128;

/** Creates the POST of every peer: pooled connections, body consumed, an error unless 2xx. */
export function createPoster(): (job: PostJob) => Promise<void> {
  const dispatcher = new Agent({ connections: maxInFlight });
  const headers = { 'content-type': 'application/json' };
  return async ({ url, body }) => {
    const response = await request(url, { method: 'POST', headers, body, dispatcher });
    await response.body.dump();
    if (response.statusCode < 200 || response.statusCode > 299) {
      throw new Error(`${url} responded with ${response.statusCode}`);
    }
  };
}
