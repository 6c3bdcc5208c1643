/** Whether the worker's memory grows with the backlog. */

import { awaitArrivals } from '../arrivals.js';
import type { Bench } from '../bench.js';
import type { CallbackService } from '../contender.js';
import { peakRssMib } from '../process-usage.js';
import type { Section } from '../report.js';
import type { Measured } from './measured.js';

const limitMib = 200;
/** "Flat": garbage collection alone makes two equal runs differ by some percent. */
const flatRatio = 1.15;

/** Delivers from a small and a large backlog, and compares the peaks after as many deliveries. */
export async function measureMemory({ bench, service, sizes }: Measured): Promise<Section> {
  const { smallBacklog, largeBacklog, callbacks } = sizes;
  const [small = Number.NaN] = await peaks(bench, service, smallBacklog, [smallBacklog]);
  const [large = Number.NaN, later = Number.NaN] = await peaks(bench, service, largeBacklog, [
    smallBacklog,
    Math.min(callbacks, largeBacklog),
  ]);
  bench.log(`memory: ${Math.round(small)} and ${Math.round(large)} MiB`);
  return {
    id: 'memory',
    title: 'Memory of the worker',
    columns: ['backlog', 'deliveries', 'peak MiB'],
    rows: [
      [smallBacklog, smallBacklog, small],
      [largeBacklog, smallBacklog, large],
      [largeBacklog, Math.min(callbacks, largeBacklog), later],
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
  bench: Bench,
  service: CallbackService,
  count: number,
  deliveries: readonly number[],
): Promise<number[]> {
  const { receiver, postgres } = bench;
  const storeUrl = await postgres.open(`${service.name}-backlog-${count}`, async (url) => {
    await service.prepare(url);
    await service.seed(url, { kind: 'ready', count, url: receiver.url });
  });
  await receiver.reset();
  const worker = await service.startWorker(storeUrl);
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
