import type { Bench } from '../../bench.js';
import { medians } from '../../statistics.js';
import { startTask } from '../../streams/run-task.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { TaskArguments } from '../../streams/stream-task.js';

const taskTimeoutMs = 600_000;

/** What one contender's process reached, and what it cost, for each event. */
export interface StreamRate {
  readonly perSecond: number;
  /** CPU microseconds. */
  readonly clientCpuUs: number;
  /** CPU microseconds of the broker, or of the database; NaN where they cannot be seen. */
  readonly storeCpuUs: number;
}

export interface RateResult {
  readonly medians: StreamRate;
  readonly runs: readonly StreamRate[];
}

/** One line of a table. */
export interface RateCase {
  readonly contender: Pick<StreamContender, 'name' | 'settings'>;
  readonly measure: () => Promise<StreamRate>;
}

/** Runs a task in a process of its own. */
export async function measureRate(
  task: TaskArguments,
  storeCpuSeconds: () => number,
): Promise<StreamRate> {
  const running = startTask(task, taskTimeoutMs);
  await running.begun;
  const before = storeCpuSeconds();
  const { events, seconds, cpuSeconds } = await running.result;
  return {
    perSecond: events / seconds,
    clientCpuUs: (cpuSeconds * 1e6) / events,
    storeCpuUs: ((storeCpuSeconds() - before) * 1e6) / events,
  };
}

/**
 * Runs every case once a round, in turn, so that what changes on the machine meanwhile hits all of
 * them alike. Gives the results by name.
 */
export async function measureInTurn(
  bench: Bench,
  what: string,
  cases: readonly RateCase[],
  rounds: number,
): Promise<ReadonlyMap<string, RateResult>> {
  const results = new Map<string, RateResult>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const { contender, measure } of cases) {
      const rate = await measure();
      const earlier = results.get(contender.name)?.runs ?? [];
      const runs = [rate, ...earlier] as const;
      results.set(contender.name, { medians: medians(runs), runs });
      const perSecond = Math.round(rate.perSecond);
      bench.log(`round ${round}/${rounds}, ${what}, ${contender.name}: ${perSecond}/s`);
    }
  }
  return results;
}
