import type { Bench } from './bench.js';
import type { Contender, Seed } from './contender.js';
import { medians } from './statistics.js';
import { measureThroughput, type Throughput } from './throughput.js';

/** A contender, with the content of its store when its worker starts. */
export interface DeliveredCase {
  /** Name in letters, digits and hyphens. */
  readonly id: string;
  readonly contender: Contender;
  /** Seeds that are not delivered: history, or callbacks behind blocked heads. */
  readonly background: readonly Seed[];
  /** Seed that is delivered. */
  readonly due: Seed;
}

/** Measurements of one case. */
export interface DeliveredResult {
  readonly medians: Throughput;
  readonly runs: readonly Throughput[];
}

/** Results by case id; a text is the reason why a case could not be measured. */
export type DeliveredResults = ReadonlyMap<string, DeliveredResult | string>;

/**
 * Runs every case once per round, one after another, so that changes on the machine affect all of them
 * equally.
 */
export async function measureRounds(
  bench: Bench,
  cases: readonly DeliveredCase[],
  rounds: number,
): Promise<DeliveredResults> {
  const runs = new Map<string, Throughput[]>(cases.map(({ id }) => [id, []]));
  const missing = new Map<string, string>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const each of cases) {
      const store = await bench.storeOf(each.contender);
      if (typeof store === 'string') {
        missing.set(each.id, store);
        continue;
      }
      const storeUrl = await store.open(each.id, (url) => fill(each, url));
      const { contender, due } = each;
      const { receiver } = bench;
      const backlog = { contender, storeUrl, storePid: store.pid, receiver, count: due.count };
      const measured = await measureThroughput(backlog);
      runs.get(each.id)?.push(measured);
      const rate = Math.round(measured.deliveredPerSecond);
      bench.log(`round ${round}/${rounds}, ${each.id}: ${rate} delivered/s`);
    }
  }
  const results = new Map<string, DeliveredResult | string>(missing);
  for (const [id, [first, ...others]] of runs) {
    if (first) results.set(id, { medians: medians([first, ...others]), runs: [first, ...others] });
  }
  return results;
}

async function fill({ contender, background, due }: DeliveredCase, url: string): Promise<void> {
  await contender.prepare(url);
  for (const seed of [...background, due]) await contender.seed(url, seed);
}
