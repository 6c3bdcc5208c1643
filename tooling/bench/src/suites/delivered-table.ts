import type { Contender } from '../contender.js';
import type { DeliveredResult } from '../delivered-rounds.js';
import type { Cell } from '../report.js';

/** Columns of the tables about deliveries. */
export const deliveredColumns: readonly string[] = [
  'contender',
  'delivered/s',
  'slowest–fastest run',
  'worker CPU µs',
  'store CPU µs',
  'receiver CPU µs',
  'CPU µs in all',
  'worker peak MiB',
  'settings',
];

/** Returns the line of a contender in the table. */
export function deliveredRow(
  contender: Contender,
  result: DeliveredResult | string | undefined,
  name: string = contender.name,
): Cell[] {
  const settings = Object.entries(contender.settings).map(([key, value]) => `${key} ${value}`);
  if (result === undefined || typeof result === 'string') {
    return [name, 'not measured', '', '', '', '', '', '', result ?? ''];
  }
  const rates = result.runs.map((run) => Math.round(run.deliveredPerSecond));
  const { medians } = result;
  return [
    name,
    Math.round(medians.deliveredPerSecond),
    `${Math.min(...rates)}–${Math.max(...rates)}`,
    medians.workerCpuUs,
    medians.storeCpuUs,
    medians.receiverCpuUs,
    medians.workerCpuUs + medians.storeCpuUs + medians.receiverCpuUs,
    Math.round(medians.workerPeakRssMib),
    settings.join(', '),
  ];
}
