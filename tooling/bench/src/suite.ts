import type { Bench } from './bench.js';
import type { Section } from './report.js';

/** Options of one run of a suite. */
export interface SuiteOptions {
  /** True for small counts and one round: a check that everything works, not a comparison. */
  readonly quick: boolean;
  /** Ids of the sections to measure; empty means all. */
  readonly only: readonly string[];
  /** Names of the peers to measure; undefined means all. */
  readonly peers: readonly string[] | undefined;
}

/** A set of measurements that `npm run bench -- <name>` runs. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  /** Descriptions of the sections, by id. */
  readonly sections: Readonly<Record<string, string>>;
  /** Names of all peers that it can be compared with. */
  readonly peers: readonly string[];
  run(bench: Bench, options: SuiteOptions): Promise<Section[]>;
}

/** True if the options ask for one of the sections. */
export function isWanted({ only }: SuiteOptions, ...ids: readonly string[]): boolean {
  return only.length === 0 || ids.some((id) => only.includes(id));
}
