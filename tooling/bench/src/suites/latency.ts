/** Row about the time from the acceptance of a callback to its delivery. */

import { awaitArrivals } from '../arrivals.js';
import type { Bench } from '../bench.js';
import { callbackRequest } from '../callback-request.js';
import type { Gateway, ServiceProcess } from '../contender.js';
import { postAtPace } from '../paced-posts.js';
import { sentAtHeader } from '../receiver/protocol.js';
import type { Section } from '../report.js';
import { percentile } from '../statistics.js';
import type { MeasurementContext } from './measurement-context.js';

const connections = 64;
const p50LimitMs = 10;
const p99LimitMs = 50;

/** Rates of acceptance and delivery, each measured while the other did not run. */
export interface HalfRates {
  readonly acceptedPerSecond: number;
  readonly deliveredPerSecond: number;
}

/** Times of all requests of a run. */
interface Latencies {
  readonly acceptMs: readonly number[];
  readonly deliverMs: readonly number[];
}

/** Runs gateway and worker at half the rate at which the machine can accept and deliver together. */
export async function measureLatency(
  { bench, service, sizes }: MeasurementContext,
  rates: HalfRates,
): Promise<Section> {
  // Each callback takes the time of its acceptance and the time of its delivery.
  const maxPerSecond = 1 / (1 / rates.acceptedPerSecond + 1 / rates.deliveredPerSecond);
  const perSecond = Math.round(maxPerSecond / 2);
  const storeUrl = await bench.postgres.open(`${service.name}-empty`, (url) =>
    service.prepare(url),
  );
  const gateway = await service.startGateway(storeUrl);
  try {
    const worker = await service.startWorker(storeUrl);
    try {
      const load = { bench, gateway, worker, perSecond };
      await deliver(load, sizes.warmUpSeconds);
      const measured = await deliver(load, sizes.latencySeconds);
      bench.log(`latency at ${perSecond}/s: p99 ${percentile(measured.deliverMs, 99)} ms`);
      return toSection(measured, perSecond, maxPerSecond);
    } finally {
      await worker.stop();
    }
  } finally {
    await gateway.stop();
  }
}

/** Callbacks at a fixed rate, with the processes that they go through. */
interface Load {
  readonly bench: Bench;
  readonly gateway: Gateway;
  readonly worker: ServiceProcess;
  readonly perSecond: number;
}

/** Sends callbacks for some seconds, and waits until all have arrived. */
async function deliver(
  { bench, gateway, worker, perSecond }: Load,
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
      `This is half of ${Math.round(maxPerSecond)} a second, the rate at which the machine can accept and deliver together: 1 / (1 / accepted per second + 1 / delivered per second), each measured alone. The time starts before the request is sent, so it includes the acceptance.`,
    ],
  };
}
