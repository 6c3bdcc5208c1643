/** Rows about delivered callbacks per second. */

import type { Contender } from '../contender.js';
import {
  type DeliveredCase,
  type DeliveredResult,
  type DeliveredResults,
  measureRounds,
} from '../delivered-rounds.js';
import type { Bar, Section } from '../report.js';
import { isWanted } from '../suite.js';
import { deliveredColumns, deliveredRow } from './delivered-table.js';
import type { MeasurementContext } from './measurement-context.js';
import { plainSituation, type Variant, variants } from './variants.js';

/** Required ratio of our rate to the rate of a peer. */
const peerBars: Readonly<Record<string, number>> = { 'graphile-worker': 1.5, bullmq: 2 };
const none = { relation: 'at most', limit: 0 } as const;

export const deliveredSections: Readonly<Record<string, string>> = {
  rate: 'delivered per second, no order, next to the peers',
  ordered: 'the same in ordered queues',
  blocked: 'the same with callbacks waiting behind blocked heads',
  history: 'the same with a finished history',
  events: 'the same with all events about callbacks in the log',
  hanging: 'the same with a host that never answers',
};

/** Results of the rows about deliveries. */
export interface Delivered {
  readonly sections: readonly Section[];
  /**
   * Our callbacks delivered per second, without order and with nothing else in the store; undefined if
   * no row was wanted.
   */
  readonly plainRate: number | undefined;
}

/** Measures the wanted rows, all cases in turn. */
export async function measureDelivered(
  context: MeasurementContext,
  peers: readonly Contender[],
): Promise<Delivered> {
  const { bench, service, sizes, options } = context;
  if (!isWanted(options, ...Object.keys(deliveredSections), 'latency')) {
    return { sections: [], plainRate: undefined };
  }
  const wantedPeers = isWanted(options, 'rate') ? peers : [];
  const wantedVariants = variants.filter(({ id }) => isWanted(options, id));
  const plain = plainSituation(sizes, bench.receiver);
  const cases = [
    ...[service, ...wantedPeers].map((contender): DeliveredCase => {
      return { id: contender.name, contender, ...plain };
    }),
    ...wantedVariants.map((variant): DeliveredCase => {
      const situation = variant.situation(sizes, bench.receiver);
      const contender: Contender = {
        ...service,
        startWorker: (storeUrl) => service.startWorker(storeUrl, variant.settings),
      };
      return { id: `${service.name}-${variant.id}`, contender, ...situation };
    }),
  ];
  const results = await measureRounds(bench, cases, sizes.rounds);
  const sections = wantedVariants.map((variant) => variantSection(context, variant, results));
  if (isWanted(options, 'rate')) sections.unshift(rateSection(context, wantedPeers, results));
  return { sections, plainRate: resultOf(results, service.name).medians.deliveredPerSecond };
}

function rateSection(
  { service, sizes }: MeasurementContext,
  peers: readonly Contender[],
  results: DeliveredResults,
): Section {
  const ours = resultOf(results, service.name);
  const bars = peers.flatMap((peer): Bar[] => {
    const result = results.get(peer.name);
    const limit = peerBars[peer.name];
    if (limit === undefined || result === undefined || typeof result === 'string') return [];
    const value = ours.medians.deliveredPerSecond / result.medians.deliveredPerSecond;
    return [{ what: `times the rate of ${peer.name}`, value, relation: 'at least', limit }];
  });
  const missing = peers.flatMap((peer) => {
    const result = results.get(peer.name);
    return typeof result === 'string' ? [`${peer.name} was not measured: ${result}.`] : [];
  });
  return {
    id: 'rate',
    title: `Delivered per second: ${sizes.callbacks.toLocaleString('en-US')} callbacks, no order`,
    columns: deliveredColumns,
    rows: [service, ...peers].map((each) => deliveredRow(each, results.get(each.name))),
    bars: [...bars, surplusBar(ours)],
    notes: [
      `Median of ${sizes.rounds}, all contenders in turn. CPU times are for one delivery.`,
      'undici alone leases nothing and records nothing: it is the upper limit on this machine.',
      ...missing,
    ],
  };
}

function variantSection(
  { service, sizes }: MeasurementContext,
  { id, title, share }: Variant,
  results: DeliveredResults,
): Section {
  const plain = resultOf(results, service.name);
  const result = resultOf(results, `${service.name}-${id}`);
  const value = result.medians.deliveredPerSecond / plain.medians.deliveredPerSecond;
  const shareBar: Bar[] =
    share === undefined
      ? []
      : [{ what: 'share of the plain rate', value, relation: 'at least', limit: share }];
  return {
    id,
    title: `Delivered per second: ${title(sizes)}`,
    columns: deliveredColumns,
    rows: [
      deliveredRow(service, plain, `${service.name}, plain`),
      deliveredRow(service, result, `${service.name}, ${id}`),
    ],
    bars: [
      ...shareBar,
      surplusBar(result),
      { what: 'order violations', value: worst(result, 'orderViolations'), ...none },
    ],
    notes: [],
  };
}

function surplusBar(result: DeliveredResult): Bar {
  return { what: 'deliveries beyond the expected ones', value: worst(result, 'surplus'), ...none };
}

function worst(result: DeliveredResult, field: 'surplus' | 'orderViolations'): number {
  return Math.max(...result.runs.map((run) => run[field]));
}

function resultOf(results: DeliveredResults, id: string): DeliveredResult {
  const result = results.get(id);
  if (result === undefined || typeof result === 'string') {
    throw new Error(`${id} was not measured: ${result ?? 'it was not run'}`);
  }
  return result;
}
