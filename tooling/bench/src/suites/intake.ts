/** Row about the callbacks that a gateway accepts per second, one per HTTP request. */

import autocannon from 'autocannon';
import { startBareGateway } from '../bare-gateway.js';
import type { Bench } from '../bench.js';
import { callbackRequest } from '../callback-request.js';
import type { Gateway } from '../contender.js';
import { cpuSeconds, treeCpuSeconds } from '../process-usage.js';
import type { Section } from '../report.js';
import { median as medianOf, medians } from '../statistics.js';
import type { MeasurementContext } from './measurement-context.js';
import type { Sizes } from './sizes.js';

const connections = 64;
/** Required share of the rate of a gateway that stores nothing. */
const share = 0.5;
/** Required share of the rate without keys, when callers have a key and their application limits. */
const shareWithKey = 0.95;

/** Rate, latency and cost of one run. */
interface Intake {
  readonly acceptedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU microseconds per request. */
  readonly gatewayCpuUs: number;
  readonly storeCpuUs: number;
}

/** Result of the row. */
export interface IntakeResult {
  readonly section: Section;
  readonly acceptedPerSecond: number;
}

/** Measures our gateway, without and with keys and limits, and the bare one in turn. */
export async function measureIntake({
  bench,
  service,
  sizes,
}: MeasurementContext): Promise<IntakeResult> {
  // More than of other rows: what a key costs is less than two runs differ by.
  const rounds = sizes.rounds * 2 - 1;
  const ours: Intake[] = [];
  const withKey: Intake[] = [];
  const bare: Intake[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const openStore = () =>
      bench.postgres.open(`${service.name}-empty`, (url) => service.prepare(url));
    const measureOurs = async () =>
      ours.push(await load(bench, await service.startGateway(await openStore()), sizes));
    const measureWithKey = async () =>
      withKey.push(await load(bench, await service.startGateway(await openStore(), 'key'), sizes));
    // In turns, because the machine may get faster or slower during a round.
    const [first, second] =
      round % 2 === 1 ? [measureOurs, measureWithKey] : [measureWithKey, measureOurs];
    await first();
    await second();
    bare.push(await load(bench, await startBareGateway(), sizes));
    const rates = [ours, withKey, bare].map((runs) =>
      Math.round(runs.at(-1)?.acceptedPerSecond ?? 0),
    );
    bench.log(
      `round ${round}/${rounds}, intake: ${rates[0]}/s, with a key ${rates[1]}/s, bare Fastify ${rates[2]}/s`,
    );
  }
  const [our, keyed, other] = [median(ours), median(withKey), median(bare)];
  const bar = {
    what: 'share of the bare rate',
    value: our.acceptedPerSecond / other.acceptedPerSecond,
    relation: 'at least',
    limit: share,
  } as const;
  const keyBar = {
    what: 'share of the rate without keys and limits',
    value: medianOf(
      withKey.map(
        ({ acceptedPerSecond }, i) => acceptedPerSecond / (ours[i]?.acceptedPerSecond ?? 0),
      ),
    ),
    relation: 'at least',
    limit: shareWithKey,
  } as const;
  return {
    acceptedPerSecond: our.acceptedPerSecond,
    section: {
      id: 'intake',
      title: `Accepted per second over HTTP, ${connections} connections, one callback each`,
      columns: ['gateway', 'accepted/s', 'p50 ms', 'p99 ms', 'gateway CPU µs', 'store CPU µs'],
      rows: [
        [`${service.name}, committed before the answer`, ...Object.values(our)],
        [`${service.name}, with an API key and limits`, ...Object.values(keyed)],
        ['bare Fastify, nothing stored', ...Object.values(other)],
      ],
      bars: [bar, keyBar],
      notes: [],
    },
  };
}

async function load(bench: Bench, gateway: Gateway, sizes: Sizes): Promise<Intake> {
  const storePid = bench.postgres.pid;
  const options = {
    url: gateway.callbackUrl,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...gateway.headers },
    body: callbackRequest(bench.receiver.url, {}),
    connections,
  } as const;
  try {
    await autocannon({ ...options, duration: sizes.warmUpSeconds });
    const before = { gateway: cpuSeconds(gateway.pid), store: treeCpuSeconds(storePid) };
    const result = await autocannon({ ...options, duration: sizes.intakeSeconds });
    const after = { gateway: cpuSeconds(gateway.pid), store: treeCpuSeconds(storePid) };
    const accepted = result['2xx'];
    if (result.non2xx > 0 || result.errors > 0) {
      throw new Error(
        `${gateway.callbackUrl} refused ${result.non2xx} callbacks and failed ${result.errors} times`,
      );
    }
    return {
      acceptedPerSecond: accepted / result.duration,
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
      gatewayCpuUs: ((after.gateway - before.gateway) * 1e6) / accepted,
      storeCpuUs: ((after.store - before.store) * 1e6) / accepted,
    };
  } finally {
    await gateway.stop();
  }
}

function median([first, ...others]: readonly Intake[]): Intake {
  if (!first) throw new Error('no round was run');
  return medians([first, ...others]);
}
