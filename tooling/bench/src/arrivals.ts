import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceProcess } from './contender.js';
import type { Receiver } from './receiver/receiver.js';

/** Time without an arrival after which a run fails, in ms. No contender pauses as long as that. */
const stalledAfterMs = 60_000;

/**
 * Resolves as `reached`, a promise of the receiver that is best made before the worker starts.
 *
 * @throws Error if the worker ends before, or nothing arrives for a minute
 */
export async function awaitArrivals(
  receiver: Receiver,
  worker: ServiceProcess,
  reached: Promise<bigint>,
): Promise<bigint> {
  const settled = new AbortController();
  const ended = worker.exited.then((): never => {
    throw new Error('the worker ended before all callbacks had arrived');
  });
  try {
    return await Promise.race([reached, ended, failWhenStalled(receiver, settled.signal)]);
  } finally {
    settled.abort();
  }
}

async function failWhenStalled(receiver: Receiver, signal: AbortSignal): Promise<never> {
  for (let before = -1; ; ) {
    const { delivered } = await receiver.counts();
    if (delivered === before) {
      throw new Error(`nothing has arrived for a minute, after ${delivered} callbacks`);
    }
    before = delivered;
    await sleep(stalledAfterMs, undefined, { signal });
  }
}
