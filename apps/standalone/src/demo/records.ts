import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api/api-client.js';
import type { Repeat } from './order-proof.js';
import type { DemoPlan } from './plan.js';

/** What the platform itself says of the demo's callbacks. */

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

const pollEveryMs = 100;
/** The receiver has everything; results still have to be written, or leases to run out. */
const maxSettleMs = 30_000;

/** Waits until nothing of the demo is left to do. Gives up after a while: the records then tell. */
export async function waitUntilSettled(
  api: ApiClient,
  { application }: DemoPlan,
  signal: AbortSignal,
): Promise<void> {
  const query = new URLSearchParams({ application, limit: '1' });
  const giveUpAt = performance.now() + maxSettleMs;
  while (performance.now() < giveUpAt) {
    // An empty queue is none any more.
    const { items } = await api.call<Page<unknown>>('GET', `/v1/queues?${query}`);
    if (items.length === 0) return;
    await sleep(pollEveryMs, undefined, { signal });
  }
}

/** How many callbacks are in which state. */
export async function countOutcomes(
  api: ApiClient,
  { application }: DemoPlan,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const query = new URLSearchParams({ application, limit: '200' });
  for (;;) {
    const { items, next } = await api.call<Page<{ state: string }>>(
      'GET',
      `/v1/callbacks?${query}`,
    );
    for (const { state } of items) counts.set(state, (counts.get(state) ?? 0) + 1);
    if (next === null) return counts;
    query.set('cursor', next);
  }
}

/** The status code of every attempt of these, 0 where there was no answer, by id. */
export async function readHistories(
  api: ApiClient,
  repeats: readonly Repeat[],
): Promise<Map<string, number[]>> {
  const histories = new Map<string, number[]>();
  for (const { id } of repeats) {
    const { attempts } = await api.call<{ attempts: readonly { statusCode: number }[] }>(
      'GET',
      `/v1/callbacks/${id}`,
    );
    histories.set(
      id,
      attempts.map(({ statusCode }) => statusCode),
    );
  }
  return histories;
}
