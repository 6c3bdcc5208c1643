/** Row about the memory of the worker with a small and a large backlog. */

import { awaitArrivals } from '../arrivals.js';
import { peakRssMib } from '../process-usage.js';
import type { Section } from '../report.js';
import type { MeasurementContext } from './measurement-context.js';

const limitMib = 200;
/** Largest ratio that counts as equal: garbage collection makes equal runs differ by some percent. */
const flatRatio = 1.15;

/** Setting for the default number of delivery threads. */
const defaultThreads = '0';

/** Delivers from a small and a large backlog, and compares the peaks after the same deliveries. */
export async function measureMemory(context: MeasurementContext): Promise<Section> {
  const { bench, service, sizes } = context;
  const { smallBacklog, largeBacklog, callbacks } = sizes;
  const many = Math.min(callbacks, largeBacklog);
  const byDefault = { threads: defaultThreads };
  const [small = Number.NaN] = await measurePeaks(context, {
    ...byDefault,
    backlog: smallBacklog,
    deliveries: [smallBacklog],
  });
  const [large = Number.NaN, later = Number.NaN] = await measurePeaks(context, {
    ...byDefault,
    backlog: largeBacklog,
    deliveries: [smallBacklog, many],
  });
  const threads = String(service.settings.POSTHASTE_WORKER_THREADS);
  const [tuned = Number.NaN] = await measurePeaks(context, {
    threads,
    backlog: largeBacklog,
    deliveries: [many],
  });
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

/** One run of the worker. */
interface MemoryRun {
  /** Number of delivery threads. */
  readonly threads: string;
  /** Callbacks in the store at the start. */
  readonly backlog: number;
  /** Numbers of deliveries after which the peak is read. */
  readonly deliveries: readonly number[];
}

/** Returns the peak memory of the worker after each of the numbers of deliveries, in MiB. */
async function measurePeaks(
  { bench, service }: Pick<MeasurementContext, 'bench' | 'service'>,
  { threads, backlog: count, deliveries }: MemoryRun,
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
