/** Whether the worker's memory grows with the backlog. */

import { awaitArrivals } from '../arrivals.js';
import { peakRssMib } from '../process-usage.js';
import type { Section } from '../report.js';
import type { Measured } from './measured.js';

const limitMib = 200;
/** "Flat": garbage collection alone makes two equal runs differ by some percent. */
const flatRatio = 1.15;

/** As many as it takes by itself. */
const ownChoice = '0';

/** Delivers from a small and a large backlog, and compares the peaks after as many deliveries. */
export async function measureMemory(measured: Measured): Promise<Section> {
  const { bench, service, sizes } = measured;
  const { smallBacklog, largeBacklog, callbacks } = sizes;
  const many = Math.min(callbacks, largeBacklog);
  const [small = Number.NaN] = await peaks(measured, smallBacklog, ownChoice, [smallBacklog]);
  const [large = Number.NaN, later = Number.NaN] = await peaks(measured, largeBacklog, ownChoice, [
    smallBacklog,
    many,
  ]);
  const threads = String(service.settings.POSTHASTE_WORKER_THREADS);
  const [tuned = Number.NaN] = await peaks(measured, largeBacklog, threads, [many]);
  bench.log(`memory: ${Math.round(small)} and ${Math.round(large)} MiB`);
  return {
    id: 'memory',
    title: 'Memory of the worker',
    columns: ['delivery threads', 'backlog', 'deliveries', 'peak MiB'],
    rows: [
      ['by default', smallBacklog, smallBacklog, small],
      ['by default', largeBacklog, smallBacklog, large],
      ['by default', largeBacklog, many, later],
      [`${threads}, as for the rates`, largeBacklog, many, tuned],
    ],
    bars: [
      {
        what: 'large / small backlog',
        value: large / small,
        relation: 'at most',
        limit: flatRatio,
      },
      { what: 'peak MiB', value: Math.max(small, later), relation: 'under', limit: limitMib },
    ],
    notes: [],
  };
}

/** The worker's peak memory when each of these numbers of callbacks has been delivered. */
async function peaks(
  { bench, service }: Pick<Measured, 'bench' | 'service'>,
  count: number,
  threads: string,
  deliveries: readonly number[],
): Promise<number[]> {
  const { receiver, postgres } = bench;
  const storeUrl = await postgres.open(`${service.name}-backlog-${count}`, async (url) => {
    await service.prepare(url);
    await service.seed(url, { kind: 'ready', count, url: receiver.url });
  });
  await receiver.reset();
  const worker = await service.startWorker(storeUrl, { POSTHASTE_WORKER_THREADS: threads });
  try {
    const found: number[] = [];
    for (const delivered of deliveries) {
      await awaitArrivals(receiver, worker, receiver.reached(delivered));
      found.push(peakRssMib(worker.pid));
    }
    return found;
  } finally {
    await worker.stop();
  }
}
