import { setTimeout as sleep } from 'node:timers/promises';
import { awaitArrivals } from './arrivals.js';
import type { Contender } from './contender.js';
import { cpuSeconds, peakRssMib, treeCpuSeconds } from './process-usage.js';
import type { Receiver } from './receiver/receiver.js';

/** Share of the deliveries at the start that are not measured. */
const warmUpShare = 0.1;
/** Wait for unexpected second deliveries, in ms. */
const settleMs = 500;

/** Rate and cost of delivering a backlog, from the end of the warm-up to the last arrival. */
export interface Throughput {
  readonly deliveredPerSecond: number;
  /** CPU microseconds per delivery, of each process. */
  readonly workerCpuUs: number;
  readonly storeCpuUs: number;
  readonly receiverCpuUs: number;
  /** Largest resident set of the worker, in MiB. */
  readonly workerPeakRssMib: number;
  /** Requests beyond the expected ones. */
  readonly surplus: number;
  readonly orderViolations: number;
}

/** A backlog in a store, with the processes around it. */
export interface Backlog {
  readonly contender: Contender;
  readonly storeUrl: string;
  readonly storePid: number;
  readonly receiver: Receiver;
  /** Number of callbacks that are due and will arrive. */
  readonly count: number;
}

/** Starts the worker on a backlog, waits until everything has arrived, and stops the worker. */
export async function measureThroughput(backlog: Backlog): Promise<Throughput> {
  const { contender, storeUrl, storePid, receiver, count } = backlog;
  const warmUp = Math.ceil(count * warmUpShare);
  await receiver.reset();
  const warm = receiver.reached(warmUp);
  const finished = receiver.reached(count);
  const worker = await contender.startWorker(storeUrl);
  const usage = () => ({
    worker: cpuSeconds(worker.pid),
    store: treeCpuSeconds(storePid),
    receiver: cpuSeconds(receiver.pid),
  });
  try {
    const startNs = await awaitArrivals(receiver, worker, warm);
    const before = usage();
    const endNs = await awaitArrivals(receiver, worker, finished);
    const after = usage();
    const workerPeakRssMib = peakRssMib(worker.pid);
    await sleep(settleMs);
    const { delivered, unavailable, orderViolations } = await receiver.counts();
    const measured = count - warmUp;
    const cpuUs = (process: keyof typeof before) =>
      ((after[process] - before[process]) * 1e6) / measured;
    return {
      deliveredPerSecond: measured / (Number(endNs - startNs) / 1e9),
      workerCpuUs: cpuUs('worker'),
      storeCpuUs: cpuUs('store'),
      receiverCpuUs: cpuUs('receiver'),
      workerPeakRssMib,
      surplus: delivered + unavailable - count,
      orderViolations,
    };
  } finally {
    await worker.stop();
  }
}
