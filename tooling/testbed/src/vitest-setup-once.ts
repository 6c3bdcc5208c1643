import type { ProvidedContext } from 'vitest';
import type { TestProject } from 'vitest/node';
import setUpServers from './vitest-setup.js';

/** Servers of one run of the tests. */
interface Run {
  /** Values that the tests get, by key. */
  readonly provided: Map<keyof ProvidedContext, unknown>;
  readonly teardown: Promise<() => Promise<void>>;
  projects: number;
}

/** Kept outside of this module, because each project loads it anew. */
const store = globalThis as { posthasteTestRun?: Run | undefined };

/**
 * Global setup of each project of the tests: starts the servers for the first one, and provides them
 * to all. Returns the teardown, which stops them for the last one.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  store.posthasteTestRun ??= begin();
  const run = store.posthasteTestRun;
  run.projects += 1;
  const teardown = await run.teardown;
  for (const [key, value] of run.provided) project.provide(key, value as never);
  return async () => {
    run.projects -= 1;
    if (run.projects > 0) return;
    store.posthasteTestRun = undefined;
    await teardown();
  };
}

function begin(): Run {
  const provided: Run['provided'] = new Map();
  const collect = { provide: provided.set.bind(provided) as TestProject['provide'] };
  return { provided, teardown: setUpServers(collect), projects: 0 };
}
