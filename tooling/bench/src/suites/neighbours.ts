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
  const rows: Row[] = [];
  try {
    await neighbour.measure(quick ? 500 : 5_000);
    for (const name of Object.keys(attacks)) {
      const before = await neighbour.measure(durationMs / 2);
      const over = runAttack(name, context);
      await sleep(quick ? 500 : runUpMs);
      const during = await neighbour.measure(durationMs);
      await over;
      const row = { name, before, during };
      rows.push(row);
      bench.log(`${name}: deliveries ${format(row, 'deliveries')}, reads ${format(row, 'reads')}`);
    }
  } finally {
    neighbour.close();
    receiver.server.close();
    await Promise.all([gateway.stop(), worker.stop()]);
  }
  return toSection(rows);
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
  readonly before: NeighbourTimes;
  readonly during: NeighbourTimes;
}

function p99({ before, during }: Row, kind: keyof NeighbourTimes): [number, number] {
  return [percentile(before[kind], 99), percentile(during[kind], 99)];
}

function ratioOf(row: Row, kind: keyof NeighbourTimes): number {
  const [before, during] = p99(row, kind);
  return during / before;
}

function format(row: Row, kind: keyof NeighbourTimes): string {
  const [before, during] = p99(row, kind);
  return `${before.toFixed(1)} -> ${during.toFixed(1)} ms`;
}

function toSection(rows: readonly Row[]): Section {
  return {
    id: 'attacks',
    title: 'p99 of a neighbour, before and during an attack by another tenant',
    columns: [
      ...['attack', 'deliveries before, ms', 'during, ms', 'ratio'],
      ...['reads before, ms', 'during, ms ', 'ratio '],
    ],
    rows: rows.map((row) => [
      row.name,
      ...[...p99(row, 'deliveries'), ratioOf(row, 'deliveries')],
      ...[...p99(row, 'reads'), ratioOf(row, 'reads')],
    ]),
    bars: rows.flatMap((row) =>
      (['deliveries', 'reads'] as const).map((kind) => ({
        what: `${row.name}: ${kind}`,
        value: ratioOf(row, kind),
        relation: 'at most' as const,
        limit: maxRatio,
      })),
    ),
    notes: [
      'The attack runs in a process of the lowest priority, as attackers bring machines of their own. It has run for four seconds when the neighbour is measured.',
    ],
  };
}
