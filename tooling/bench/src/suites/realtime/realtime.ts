import type { Bench } from '../../bench.js';
import {
  bareLoop,
  posthasteRealtime,
  type RealtimeContender,
  socketIo,
} from '../../realtime/contenders.js';
import {
  measureConnects,
  measureFanOut,
  measureLatency,
  measureStalled,
} from '../../realtime/measurements.js';
import type { Section } from '../../report.js';
import { medians } from '../../statistics.js';
import { isWanted, type Suite, type SuiteOptions } from '../../suite.js';
import { durableSections, returningSection } from './gateways.js';
import { fullSizes, quickSizes, type RealtimeSizes } from './sizes.js';

const latencyRate = 50_000;
/** Bytes that wait for 50 stalled consumers, and what the server takes without them. */
const stalledLimitMib = 320;

/** A section's contenders and sizes. */
interface Context {
  readonly contenders: readonly RealtimeContender[];
  readonly sizes: RealtimeSizes;
  readonly log: (line: string) => void;
}

/** Creates the suite for realtime: our server beside a bare loop over `ws`, and socket.io. */
export function createRealtimeSuite(sizes?: RealtimeSizes): Suite {
  return {
    name: 'realtime',
    description: 'Realtime: fan-out, latency and memory, next to a bare ws loop and socket.io.',
    sections: {
      fanout: 'messages per second to subscribers of one channel',
      latency: 'publish to arrival at 50,000 messages per second',
      connects: 'connects per second, and memory of idle subscribers',
      stalled: 'subscribers of which 5 % stop reading',
      durable: 'the gateway with durable namespaces: one and two processes on Postgres',
      returning: 'clients of a gateway that are cut at once, and resume',
    },
    peers: [bareLoop.name, socketIo.name],
    run: (bench, options) => measureRealtime(bench, options, sizes),
  };
}

async function measureRealtime(
  { log, postgres }: Pick<Bench, 'log' | 'postgres'>,
  options: SuiteOptions,
  sizes: RealtimeSizes = options.quick ? quickSizes : fullSizes,
): Promise<Section[]> {
  const peers = [bareLoop, socketIo].filter(({ name }) => options.peers?.includes(name) ?? true);
  const context: Context = { contenders: [posthasteRealtime, ...peers], sizes, log };
  const sections: Section[] = [];
  if (isWanted(options, 'fanout')) {
    sections.push(await fanOutSection(context, { outstanding: 16, limit: 2 }));
    sections.push(await fanOutSection(context, { outstanding: 1, limit: 0.85 }));
  }
  if (isWanted(options, 'latency')) sections.push(await latencySection(context));
  if (isWanted(options, 'connects')) sections.push(await connectsSection(context));
  if (isWanted(options, 'stalled')) sections.push(await stalledSection(context));
  const gateways = { postgres, sizes, log };
  if (isWanted(options, 'durable')) sections.push(...(await durableSections(gateways)));
  if (isWanted(options, 'returning')) sections.push(await returningSection(gateways));
  return sections;
}

async function fanOutSection(
  context: Context,
  { outstanding, limit }: { outstanding: number; limit: number },
): Promise<Section> {
  const { subscribers, seconds } = context.sizes;
  const rows = await measureAll(context, (contender) =>
    measureFanOut(contender, { subscribers, outstanding, seconds }),
  );
  const ratio = ratioToLoop(rows, ({ messagesPerSecond }) => messagesPerSecond);
  return {
    id: `fanout-${outstanding}`,
    title: `Fan-out to ${subscribers} subscribers, ${outstanding} publishes outstanding`,
    columns: ['server', 'messages/s', 'server CPU µs per message'],
    rows: [...rows].map(([name, found]) => [name, found.messagesPerSecond, found.cpuMicros]),
    bars: loopBar('times the messages/s of the loop', ratio, limit),
    notes: [],
  };
}

async function latencySection(context: Context): Promise<Section> {
  const { subscribers, seconds } = context.sizes;
  const rows = await measureAll(context, (contender) =>
    measureLatency(contender, { subscribers, seconds, perSecond: latencyRate }),
  );
  const p99 = rows.get(posthasteRealtime.name)?.p99 ?? Number.NaN;
  return {
    id: 'latency',
    title: 'Publish to arrival at 50,000 messages/s',
    columns: ['server', 'p50 ms', 'p99 ms'],
    rows: [...rows].map(([name, found]) => [name, found.p50, found.p99]),
    bars: [{ what: 'p99 ms', value: p99, relation: 'under', limit: 50 }],
    notes: [],
  };
}

async function connectsSection(context: Context): Promise<Section> {
  const { idle } = context.sizes;
  const rows = await measureAll(context, (contender) => measureConnects(contender, idle));
  const kilobytes = rows.get(posthasteRealtime.name)?.kilobytes ?? Number.NaN;
  const ratio = ratioToLoop(rows, ({ perSecond }) => perSecond);
  return {
    id: 'connects',
    title: `Connects with a subscription, to ${idle} idle subscribers`,
    columns: ['server', 'connects/s', 'server CPU µs each', 'kB per subscriber'],
    rows: [...rows].map(([name, found]) => [
      name,
      found.perSecond,
      found.cpuMicros,
      found.kilobytes,
    ]),
    bars: [
      ...loopBar('times the connects/s of the loop', ratio, 0.6),
      { what: 'kB per idle subscriber', value: kilobytes, relation: 'at most', limit: 20 },
    ],
    notes: [],
  };
}

async function stalledSection(context: Context): Promise<Section> {
  const { subscribers, seconds } = context.sizes;
  const size = { subscribers, seconds: seconds * 2, perSecond: latencyRate };
  // The others have no limit for what waits.
  const { peakMib, lost } = await measureStalled(posthasteRealtime, size);
  return {
    id: 'stalled',
    title: '5 % of the subscribers stop reading',
    columns: ['server', 'peak MiB', 'messages lost by the others'],
    rows: [[posthasteRealtime.name, peakMib, lost]],
    bars: [
      { what: 'peak MiB', value: peakMib, relation: 'under', limit: stalledLimitMib },
      { what: 'messages lost by the others', value: lost, relation: 'at most', limit: 0 },
    ],
    notes: [],
  };
}

/** Measures every contender in turn, and returns the medians of the rounds. */
async function measureAll<Measured extends Record<keyof Measured, number>>(
  { contenders, sizes, log }: Context,
  measure: (contender: RealtimeContender) => Promise<Measured>,
): Promise<Map<string, Measured>> {
  const runs = new Map<string, [Measured, ...Measured[]]>();
  for (let round = 0; round < sizes.rounds; round++) {
    for (const contender of contenders) {
      const found = await measure(contender);
      log(`${contender.name}: ${JSON.stringify(found)}`);
      const earlier = runs.get(contender.name);
      if (earlier) earlier.push(found);
      else runs.set(contender.name, [found]);
    }
  }
  return new Map([...runs].map(([name, found]) => [name, medians(found)]));
}

function ratioToLoop<Measured>(
  rows: ReadonlyMap<string, Measured>,
  rateOf: (measured: Measured) => number,
): number | undefined {
  const [ours, loop] = [rows.get(posthasteRealtime.name), rows.get(bareLoop.name)];
  return ours && loop && rateOf(ours) / rateOf(loop);
}

/** Returns the bar, or nothing if the loop was not measured. */
function loopBar(what: string, ratio: number | undefined, limit: number): Section['bars'] {
  return ratio === undefined ? [] : [{ what, value: ratio, relation: 'at least', limit }];
}
