import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformError } from '@posthaste/contracts';
import type { ApiClient } from '../api/api-client.js';
import { type DemoPlan, type QueuePosition, toPath } from './plan.js';

/** Most posts under way at once. */
const maxPosters = 64;
/** Posts are spread over time: one second for 200, five seconds at most. */
const msPerCallback = 5;
const maxSpreadMs = 5_000;
const retryEveryMs = 100;

/** Enough retries, at short intervals, that no callback fails while the receiver is down. */
const retry = { phases: [{ retries: 9_999, delayMs: 250 }] };

/** Options of `postCallbacks`. */
export interface PostingOptions {
  readonly api: ApiClient;
  readonly plan: DemoPlan;
  readonly receiverUrl: string;
  /** Longest time of one attempt, in ms. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Posts the callbacks of each queue one after another, because the order of a queue is the order in
 * which its callbacks are accepted. A post without an answer is repeated with the same
 * Idempotency-Key, so that no callback is accepted twice.
 *
 * @param ids receives the id of each accepted callback, by `toPath` of its position
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
  const post = async (position: QueuePosition, number: number): Promise<void> => {
    const dueAt = startedAt + (spreadMs * number) / plan.callbacks;
    await sleep(Math.max(0, dueAt - performance.now()), undefined, { signal });
    ids.set(toPath(position), await postUntilAccepted(position, options));
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

async function postUntilAccepted(
  position: QueuePosition,
  options: PostingOptions,
): Promise<string> {
  const { api, plan, receiverUrl, timeoutMs, signal } = options;
  const path = toPath(position);
  for (;;) {
    try {
      const { id } = await api.call<{ id: string }>('POST', '/v1/callbacks', {
        headers: { 'idempotency-key': plan.application + path },
        signal,
        body: {
          url: receiverUrl + path,
          json: position,
          application: plan.application,
          queue: position.queue,
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
