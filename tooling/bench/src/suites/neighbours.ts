import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../bench.js';
import { attacks } from '../neighbours/attacks.js';
import { Neighbour, type NeighbourTimes } from '../neighbours/neighbour.js';
import { posthaste } from '../posthaste/service.js';
import { createTenantKeys, startTenantGateway } from '../posthaste/tenants.js';
import type { Section } from '../report.js';
import { percentile } from '../statistics.js';
import type { Suite, SuiteOptions } from '../suite.js';

/** Most that the p99 of a neighbour may grow by. */
const maxRatio = 1.5;
/** Time in which an attack gets going before the neighbour is measured. */
const runUpMs = 4_000;

/** Suite for tenants: how much slower a neighbour gets while another tenant attacks. */
export const neighboursSuite: Suite = {
  name: 'neighbours',
  description: 'Tenants: what a neighbour notices while another one attacks the platform.',
  sections: { attacks: 'p99 of deliveries and reads of a neighbour, during each attack' },
  peers: [],
  async run(bench, options) {
    return [await measureAttacks(bench, options)];
  },
};

/** Receiver of the neighbour and of the attacks, in this process. */
interface TimedReceiver {
  readonly url: string;
  readonly arrivals: ReadonlyMap<string, number>;
  readonly server: Server;
}

async function startTimedReceiver(): Promise<TimedReceiver> {
  const arrivals = new Map<string, number>();
  const server = createServer((request, response) => {
    const { url = '' } = request;
    request.resume().once('end', () => {
      if (url.startsWith('/neighbour/')) arrivals.set(url, arrivals.get(url) ?? performance.now());
      response.writeHead(url.startsWith('/fail') ? 500 : 200).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, arrivals, server };
}

async function measureAttacks(bench: Bench, { quick }: SuiteOptions): Promise<Section> {
  const durationMs = quick ? 2_000 : 30_000;
  const storeUrl = await bench.postgres.open('neighbours', (url) => posthaste.prepare(url));
  const keys = await createTenantKeys(storeUrl, ['attacker', 'neighbour']);
  const gateway = await startTenantGateway(storeUrl);
  const worker = await posthaste.startWorker(storeUrl);
  const receiver = await startTimedReceiver();
  const addresses = { gatewayUrl: gateway.url, receiverUrl: receiver.url };
  const { arrivals } = receiver;
  const neighbour = new Neighbour({ ...addresses, token: keys.neighbour, arrivals });
  const context = { ...addresses, token: keys.attacker, durationMs: durationMs + runUpMs };
  const quiet: NeighbourTimes[] = [];
  const rows: Row[] = [];
  try {
    await neighbour.measure(quick ? 500 : 5_000);
    for (const name of Object.keys(attacks)) {
      const before = await neighbour.measure(durationMs / 2);
      const over = runAttack(name, context);
      await sleep(quick ? 500 : runUpMs);
      const during = await neighbour.measure(durationMs);
      await over;
      quiet.push(before);
      rows.push({ name, during });
      const [deliveries, reads] = [formatTimes('deliveries'), formatTimes('reads')];
      bench.log(`${name}: ${deliveries(before, during)}, ${reads(before, during)}`);
    }
  } finally {
    neighbour.close();
    receiver.server.close();
    await Promise.all([gateway.stop(), worker.stop()]);
  }
  return toSection(joined(quiet), rows);
}

async function runAttack(name: string, context: object): Promise<void> {
  const script = fileURLToPath(new URL('../neighbours/attack-process.js', import.meta.url));
  const child = fork(script);
  child.send({ name, context });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the attack '${name}' ended with code ${code}`);
}

interface Row {
  readonly name: string;
  readonly during: NeighbourTimes;
}

/** Joins the times between the attacks: the p99 of one such time alone depends on its three slowest. */
function joined(times: readonly NeighbourTimes[]): NeighbourTimes {
  return {
    deliveries: times.flatMap(({ deliveries }) => deliveries),
    reads: times.flatMap(({ reads }) => reads),
  };
}

function p99(times: NeighbourTimes, kind: keyof NeighbourTimes): number {
  return percentile(times[kind], 99);
}

function formatTimes(
  kind: keyof NeighbourTimes,
): (before: NeighbourTimes, during: NeighbourTimes) => string {
  return (before, during) =>
    `${kind} ${p99(before, kind).toFixed(1)} -> ${p99(during, kind).toFixed(1)} ms`;
}

function toSection(quiet: NeighbourTimes, rows: readonly Row[]): Section {
  const ratioOf = ({ during }: Row, kind: keyof NeighbourTimes): number =>
    p99(during, kind) / p99(quiet, kind);
  return {
    id: 'attacks',
    title: 'p99 of a neighbour during attacks by another tenant, and between them',
    columns: ['attack', 'deliveries, ms', 'ratio', 'reads, ms', 'ratio '],
    rows: [
      ['none', p99(quiet, 'deliveries'), 1, p99(quiet, 'reads'), 1],
      ...rows.map((row) => [
        row.name,
        ...[p99(row.during, 'deliveries'), ratioOf(row, 'deliveries')],
        ...[p99(row.during, 'reads'), ratioOf(row, 'reads')],
      ]),
    ],
    bars: rows.flatMap((row) =>
      (['deliveries', 'reads'] as const).map((kind) => ({
        what: `${row.name}: ${kind}`,
        value: ratioOf(row, kind),
        relation: 'at most' as const,
        limit: maxRatio,
      })),
    ),
    notes: [
      'The attack runs in a process of the lowest priority, as attackers bring machines of their own. It has run for four seconds when the neighbour is measured. The neighbour is measured between all attacks too: the row `none`.',
    ],
  };
}
