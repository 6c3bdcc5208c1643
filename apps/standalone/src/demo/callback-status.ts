/* States and attempts of the demo's callbacks, as the platform itself reports them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api/api-client.js';
import { iterateItems, readPage } from '../api/item-list.js';
import type { Repeat } from './order-proof.js';
import type { DemoPlan } from './plan.js';

const pollMs = 100;
/** Results of the last attempts are still to be written, or leases have to expire. */
const maxWaitMs = 30_000;
const pageSize = 200;

/** Waits until all queues of the demo are empty. Gives up after 30 seconds: the check then fails. */
export async function waitUntilQueuesEmpty(
  api: ApiClient,
  { application }: DemoPlan,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = performance.now() + maxWaitMs;
  while (performance.now() < giveUpAt) {
    // An empty queue is not listed.
    const queues = { path: '/v1/queues', query: { application }, limit: 1 };
    const { items } = await readPage(api, queues);
    if (items.length === 0) return;
    await sleep(pollMs, undefined, { signal });
  }
}

/** Counts the callbacks of the demo by their state. */
export async function countStates(
  api: ApiClient,
  { application }: DemoPlan,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const callbacks = { path: '/v1/callbacks', query: { application }, limit: pageSize };
  for await (const { state } of iterateItems<{ readonly state: string }>(api, callbacks)) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return counts;
}

/** Reads the status codes of all attempts of these callbacks, by id; 0 for no answer. */
export async function readStatusCodes(
  api: ApiClient,
  repeats: readonly Repeat[],
): Promise<Map<string, number[]>> {
  const statusCodes = new Map<string, number[]>();
  for (const { id } of repeats) {
    const { attempts } = await api.call<{ attempts: readonly { statusCode: number }[] }>(
      'GET',
      `/v1/callbacks/${id}`,
    );
    const codes = attempts.map(({ statusCode }) => statusCode);
    statusCodes.set(id, codes);
  }
  return statusCodes;
}
