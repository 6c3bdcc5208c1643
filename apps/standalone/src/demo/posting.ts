import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { ApiClient } from '../api/api-client.js';
import { type DemoPlan, type Place, toPath } from './plan.js';

/** Posts under way at once. */
const maxPosters = 64;
/** Over how long the posts are spread: a second for 200, five at most. */
const msPerCallback = 5;
const maxSpreadMs = 5_000;
const retryEveryMs = 100;

/** So many, so soon, that nothing is given up while the receiver is away. */
const retry = { phases: [{ retries: 10_000, delayMs: 250 }] };

export interface PostingOptions {
  readonly api: ApiClient;
  readonly plan: DemoPlan;
  readonly receiverUrl: string;
  /** Of one attempt, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Posts the callbacks of each queue one after another, as their order is that of being accepted.
 * A post without an answer is repeated under its Idempotency-Key, which cannot double it.
 *
 * @param ids filled as they come: the id of each accepted callback, by `toPath` of its place
 * @throws PlatformError when the platform refuses one
 */
export async function postCallbacks(
  options: PostingOptions,
  ids: Map<string, string>,
): Promise<void> {
  const { plan, signal } = options;
  const names = [...plan.queues.keys()];
  const spreadMs = Math.min(maxSpreadMs, plan.callbacks * msPerCallback);
  const startedAt = performance.now();
  const post = async (place: Place, number: number): Promise<void> => {
    const dueAt = startedAt + (spreadMs * number) / plan.callbacks;
    await sleep(Math.max(0, dueAt - performance.now()), undefined, { signal });
    ids.set(toPath(place), await postUntilAnswered(place, options));
  };
  const posters = Array.from({ length: Math.min(maxPosters, names.length) }, async (_, first) => {
    for (let sequence = 0; sequence < longestQueue(plan); sequence++) {
      for (let i = first; i < names.length; i += maxPosters) {
        const queue = names[i] ?? '';
        if (sequence >= (plan.queues.get(queue) ?? 0)) continue;
        await post({ queue, sequence }, sequence * names.length + i);
      }
    }
  });
  await Promise.all(posters);
}

function longestQueue({ queues }: DemoPlan): number {
  return Math.max(...queues.values());
}

async function postUntilAnswered(place: Place, options: PostingOptions): Promise<string> {
  const { api, plan, receiverUrl, timeoutMs, signal } = options;
  const path = toPath(place);
  for (;;) {
    try {
      const { id } = await api.call<{ id: string }>('POST', '/v1/callbacks', {
        headers: { 'idempotency-key': plan.application + path },
        signal,
        body: {
          url: receiverUrl + path,
          json: place,
          application: plan.application,
          queue: place.queue,
          timeoutMs,
          retry,
        },
      });
      return id;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PlatformError && error.retryable)) throw error;
      await sleep(retryEveryMs, undefined, { signal });
    }
  }
}
