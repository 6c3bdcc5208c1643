import type { Bench } from './bench.js';
import type { Section } from './report.js';

export interface SuiteOptions {
  /** Small counts and one round: to see that all works, not to compare. */
  readonly quick: boolean;
  /** Ids of the sections to measure. Empty: all. */
  readonly only: readonly string[];
  /** Names of the peers to measure. Undefined: all. */
  readonly peers: readonly string[] | undefined;
}

/** A set of measurements that `npm run bench -- <name>` runs. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  /** Id of every section, and what it measures. */
  readonly sections: Readonly<Record<string, string>>;
  /** Names of everybody that it can be compared with. */
  readonly peers: readonly string[];
  run(bench: Bench, options: SuiteOptions): Promise<Section[]>;
}

export function isWanted({ only }: SuiteOptions, ...ids: readonly string[]): boolean {
  return only.length === 0 || ids.some((id) => only.includes(id));
}
