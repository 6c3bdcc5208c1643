import type { Bar, Cell, Section } from '../../report.js';
import type { RateCase, RateResult } from './rounds.js';

/** Table of rates of a row. */
export interface RateTable {
  readonly id: string;
  readonly title: string;
  /** Unit of the rates, for example `acknowledged/s`. */
  readonly unit: string;
  /** Store whose CPU time is shown beside that of the client. */
  readonly store: 'broker' | 'database';
  readonly cases: readonly RateCase[];
  readonly results: ReadonlyMap<string, RateResult>;
  readonly bars: readonly Bar[];
  readonly notes: readonly string[];
}

/** Converts a table of rates to a section of the report. */
export function toRateSection(table: RateTable): Section {
  const { id, title, unit, store, cases, results, bars, notes } = table;
  return {
    id,
    title,
    columns: [
      'contender',
      unit,
      'slowest–fastest run',
      'client CPU µs',
      `${store} CPU µs`,
      'settings',
    ],
    rows: cases.map(({ contender }) => toRow(contender, results.get(contender.name))),
    bars,
    notes: ['CPU times are for one event.', ...notes],
  };
}

/** Returns the bar for the ratio of our rate to the rate of a peer; no bar if the peer was not measured. */
export function ratioBars(
  results: ReadonlyMap<string, RateResult>,
  { ours, peer, limit }: { readonly ours: string; readonly peer: string; readonly limit: number },
): Bar[] {
  const our = results.get(ours)?.medians.perSecond;
  const other = results.get(peer)?.medians.perSecond;
  if (our === undefined || other === undefined) return [];
  return [{ what: `times the rate of ${peer}`, value: our / other, relation: 'at least', limit }];
}

function toRow({ name, settings }: RateCase['contender'], result: RateResult | undefined): Cell[] {
  if (!result) return [name, 'not measured', '', '', '', ''];
  const rates = result.runs.map(({ perSecond }) => Math.round(perSecond));
  const { perSecond, clientCpuUs, storeCpuUs } = result.medians;
  return [
    name,
    Math.round(perSecond),
    `${Math.min(...rates)}–${Math.max(...rates)}`,
    clientCpuUs,
    Number.isNaN(storeCpuUs) ? 'not visible' : storeCpuUs,
    Object.entries(settings)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  ];
}
