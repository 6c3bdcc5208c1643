/** How long a callback is under way from its acceptance to its delivery. */

import { awaitArrivals } from '../arrivals.js';
import type { Bench } from '../bench.js';
import { callbackRequest } from '../callback-request.js';
import type { Gateway, ServiceProcess } from '../contender.js';
import { postAtPace } from '../paced-posts.js';
import { sentAtHeader } from '../receiver/protocol.js';
import type { Section } from '../report.js';
import { percentile } from '../statistics.js';
import type { Measured } from './measured.js';

const connections = 64;
const p50LimitMs = 10;
const p99LimitMs = 50;

/** Rates of the two halves of the way, each measured with the machine to itself. */
export interface HalfRates {
  readonly acceptedPerSecond: number;
  readonly deliveredPerSecond: number;
}

interface Latencies {
  readonly acceptMs: readonly number[];
  readonly deliverMs: readonly number[];
}

/** Runs gateway and worker at half the rate that the machine can accept and deliver at once. */
export async function measureLatency(
  { bench, service, sizes }: Measured,
  rates: HalfRates,
): Promise<Section> {
  // A callback costs the machine the time of its acceptance and the time of its delivery.
  const maxPerSecond = 1 / (1 / rates.acceptedPerSecond + 1 / rates.deliveredPerSecond);
  const perSecond = Math.round(maxPerSecond / 2);
  const storeUrl = await bench.postgres.open(`${service.name}-empty`, (url) =>
    service.prepare(url),
  );
  const gateway = await service.startGateway(storeUrl);
  try {
    const worker = await service.startWorker(storeUrl);
    try {
      await deliver(bench, gateway, worker, perSecond, sizes.warmUpSeconds);
      const measured = await deliver(bench, gateway, worker, perSecond, sizes.latencySeconds);
      bench.log(`latency at ${perSecond}/s: p99 ${percentile(measured.deliverMs, 99)} ms`);
      return toSection(measured, perSecond, maxPerSecond);
    } finally {
      await worker.stop();
    }
  } finally {
    await gateway.stop();
  }
}

async function deliver(
  bench: Bench,
  gateway: Gateway,
  worker: ServiceProcess,
  perSecond: number,
  seconds: number,
): Promise<Latencies> {
  const { receiver } = bench;
  const count = perSecond * seconds;
  await receiver.reset({ latencies: true });
  const delivered = receiver.reached(count);
  const acceptMs = await postAtPace({
    url: gateway.callbackUrl,
    body: () => callbackRequest(receiver.url, { [sentAtHeader]: String(process.hrtime.bigint()) }),
    perSecond,
    count,
    connections,
  });
  await awaitArrivals(receiver, worker, delivered);
  return { acceptMs, deliverMs: await receiver.latenciesMs() };
}

function toSection(measured: Latencies, perSecond: number, maxPerSecond: number): Section {
  const percents = [50, 90, 99, 99.9, 100];
  const values = (times: readonly number[]) => percents.map((each) => percentile(times, each));
  const p50Ms = percentile(measured.deliverMs, 50);
  const p99Ms = percentile(measured.deliverMs, 99);
  return {
    id: 'latency',
    title: `Accept to delivered at ${perSecond} callbacks a second`,
    columns: ['ms', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    rows: [
      ['request sent to its 201', ...values(measured.acceptMs)],
      ['request sent to callback arrived', ...values(measured.deliverMs)],
    ],
    bars: [
      { what: 'p50 ms', value: p50Ms, relation: 'under', limit: p50LimitMs },
      { what: 'p99 ms', value: p99Ms, relation: 'under', limit: p99LimitMs },
    ],
    notes: [
      `This is half of ${Math.round(maxPerSecond)} a second, what the machine can accept and deliver at once: 1 / (1 / accepted per second + 1 / delivered per second), each measured alone. Counted from before the request is sent, so the acceptance is part of it.`,
    ],
  };
}
