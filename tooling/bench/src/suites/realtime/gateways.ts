import { eventsWire } from '../../realtime/contenders.js';
import { prepareGateways, startGateways } from '../../realtime/gateways.js';
import { Load } from '../../realtime/load.js';
import { type FanOut, runFanOut } from '../../realtime/measurements.js';
import { measureReturning, type Returning } from '../../realtime/returning.js';
import type { Section } from '../../report.js';
import { medians } from '../../statistics.js';
import type { StoreServer } from '../../stores/store.js';
import type { RealtimeSizes } from './sizes.js';

/** Connections that publish: the gateway takes 25 publishes of each in a second. */
const publishers = 64;
/** Least share of the rate without durability that a durable namespace has. */
const durableLimit = 0.5;
const returningLimitSeconds = 3;

/** Store, sizes and log of the rows of gateways. */
export interface GatewayRows {
  readonly postgres: StoreServer;
  readonly sizes: RealtimeSizes;
  readonly log: (line: string) => void;
}

/** Kind of a run. */
interface Variant {
  readonly gateways: number;
  readonly channel: string;
}

const variants: Readonly<Record<string, Variant>> = {
  'one gateway, not durable': { gateways: 1, channel: '/loose/room' },
  'one gateway, durable': { gateways: 1, channel: '/default/room' },
  'two gateways, not durable': { gateways: 2, channel: '/loose/room' },
  'two gateways, durable': { gateways: 2, channel: '/default/room' },
};

/** Measures fan-out of gateways with 16 and with one publish outstanding. */
export async function durableSections(context: GatewayRows): Promise<Section[]> {
  return [await durableSection(context, 16), await durableSection(context, 1)];
}

async function durableSection(
  { postgres, sizes, log }: GatewayRows,
  outstanding: number,
): Promise<Section> {
  const { rounds, subscribers, seconds } = sizes;
  const runs = new Map<string, [FanOut, ...FanOut[]]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, { gateways, channel }] of Object.entries(variants)) {
      const storeUrl = await postgres.open('realtime', prepareGateways);
      const wire = eventsWire(channel);
      const servers = await startGateways(storeUrl, { count: gateways, wire });
      const load = new Load(servers, publishers);
      try {
        const found = await runFanOut(load, servers, { subscribers, outstanding, seconds });
        log(`${name}, ${outstanding} outstanding: ${JSON.stringify(found)}`);
        const earlier = runs.get(name);
        if (earlier) earlier.push(found);
        else runs.set(name, [found]);
      } finally {
        load.close();
        await Promise.all(servers.map((server) => server.stop()));
      }
    }
  }
  const rows = new Map([...runs].map(([name, found]) => [name, medians(found)]));
  const shareOf = (gateways: string): number => {
    const rate = (kind: string) =>
      rows.get(`${gateways}, ${kind}`)?.messagesPerSecond ?? Number.NaN;
    return rate('durable') / rate('not durable');
  };
  return {
    id: `durable-${outstanding}`,
    title: `Gateway: fan-out to ${subscribers} subscribers, ${outstanding} publishes outstanding`,
    columns: ['gateways', 'messages/s', 'gateways: CPU µs per message'],
    rows: [...rows].map(([name, found]) => [name, found.messagesPerSecond, found.cpuMicros]),
    bars: ['one gateway', 'two gateways'].map((gateways) => ({
      what: `${gateways}: durable, share of not durable`,
      value: shareOf(gateways),
      relation: 'at least',
      limit: durableLimit,
    })),
    notes: ['Both gateways share one core. Publishers are at the first, subscribers at each.'],
  };
}

/** Measures how long clients take to come back that were cut at once. */
export async function returningSection({ postgres, sizes, log }: GatewayRows): Promise<Section> {
  const runs: Returning[] = [];
  for (let round = 0; round < sizes.rounds; round += 1) {
    const storeUrl = await postgres.open('realtime', prepareGateways);
    const found = await measureReturning(storeUrl, sizes.cut);
    log(`returning: ${JSON.stringify(found)}`);
    runs.push(found);
  }
  const [first, ...others] = runs;
  if (first === undefined) throw new Error('there was no round');
  const { seconds, cpuSeconds, refused } = medians([first, ...others]);
  const missing = Math.max(...runs.map((each) => each.missing));
  return {
    id: 'returning',
    title: `${sizes.cut} clients of a gateway are cut at once, miss 10 events, and resume`,
    columns: [
      'server',
      'seconds until the last has all',
      'CPU seconds of the gateway',
      'attempts refused',
      'events missing',
    ],
    rows: [['gateway', seconds, cpuSeconds, refused, missing]],
    bars: [
      { what: 'seconds', value: seconds, relation: 'at most', limit: returningLimitSeconds },
      { what: 'events missing', value: missing, relation: 'at most', limit: 0 },
    ],
    notes: ['Each waits up to 250 ms at random, twice as long after each refusal.'],
  };
}
