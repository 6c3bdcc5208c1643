import type { Bench } from '../../bench.js';
import { medians } from '../../statistics.js';
import { startTask } from '../../streams/start-task.js';
import type { StreamContender } from '../../streams/stream-contender.js';
import type { TaskArguments } from '../../streams/stream-task.js';

const taskTimeoutMs = 600_000;

/** Rate of one contender's process, with its cost per event. */
export interface StreamRate {
  readonly perSecond: number;
  /** CPU microseconds of the client. */
  readonly clientCpuUs: number;
  /** CPU microseconds of the broker or the database; NaN if its process is not visible. */
  readonly storeCpuUs: number;
}

/** Measurements of one case. */
export interface RateResult {
  readonly medians: StreamRate;
  readonly runs: readonly StreamRate[];
}

/** One line of a table. */
export interface RateCase {
  readonly contender: Pick<StreamContender, 'name' | 'settings'>;
  readonly measure: () => Promise<StreamRate>;
}

/** Runs a task in a new process, and returns its rate. */
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
 * Runs every case once per round, one after another, so that changes on the machine affect all of them
 * equally. Returns the results by name.
 */
export async function measureInTurn(
  bench: Bench,
  cases: readonly RateCase[],
  { row, rounds }: { readonly row: string; readonly rounds: number },
): Promise<ReadonlyMap<string, RateResult>> {
  const results = new Map<string, RateResult>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const { contender, measure } of cases) {
      const rate = await measure();
      const earlier = results.get(contender.name)?.runs ?? [];
      const runs = [rate, ...earlier] as const;
      results.set(contender.name, { medians: medians(runs), runs });
      const perSecond = Math.round(rate.perSecond);
      bench.log(`round ${round}/${rounds}, ${row}, ${contender.name}: ${perSecond}/s`);
    }
  }
  return results;
}
