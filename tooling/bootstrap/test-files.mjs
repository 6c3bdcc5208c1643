/** Order and grouping of the test files, for `vitest.config.ts`. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BaseSequencer } from 'vitest/node';

/** Pattern of all test files, from the root. */
export const testFiles = '{apps,packages,tooling}/*/{src,test}/**/*.test.ts';

/** Test files that take longest, by their paths from the root, the longest first. */
export const slowest = [
  'packages/eventstream/test/kafka-security.test.ts',
  'packages/eventstream/test/kafka-faults.test.ts',
  'packages/eventstream/test/kafka-driver.test.ts',
  'apps/gateway/test/processes/database-away.test.ts',
  'apps/worker/test/outbox.test.ts',
  'tooling/realtime-clients/test/amplify-gateway.test.ts',
  'packages/eventstream/test/kafka-cluster.test.ts',
  'packages/eventstream/test/kafka-conformance.test.ts',
  'tooling/bench/src/suites/streams/eventstream.test.ts',
  'apps/standalone/src/platform/standalone-service.test.ts',
  'apps/standalone/src/commands/demo.test.ts',
  'packages/eventstream/src/drivers/postgres/group/group-batch.test.ts',
  'apps/worker/test/event-streams.test.ts',
  'tooling/testbed/src/kafka/broker.test.ts',
  'packages/postgres/src/embedded/open-embedded.test.ts',
  'packages/eventstream/src/drivers/postgres/postgres-driver.test.ts',
  'apps/worker/test/chaos.test.ts',
  'apps/standalone/test/posted-events.test.ts',
  'apps/standalone/test/database-as-found.test.ts',
  'tooling/checks/src/published-packages.test.ts',
  'tooling/bench/src/suites/callbacks.test.ts',
  'apps/gateway/src/main.test.ts',
  'packages/postgres/src/session/session.test.ts',
  'packages/eventstream/src/drivers/postgres/read/event-pages.test.ts',
  'apps/standalone/src/commands/events.test.ts',
  'apps/standalone/src/commands/keys.test.ts',
  'packages/eventstream/test/kafka-clients.test.ts',
];

/** Starts the longest files first, so that no worker is alone with one at the end. */
export class LongestFirst extends BaseSequencer {
  /** @override */
  async sort(files) {
    const rank = ({ moduleId }) => {
      const found = slowest.findIndex((file) => moduleId.endsWith(`/${file}`));
      return found === -1 ? slowest.length : found;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** Text of a test that starts processes or servers, or changes its own process in a way that lasts. */
const needsProcess =
  /start(?:Process|Postgres|Kafka|PgBouncer|ReceiverProcess)\b|describeWithKafka|vi\.mock|stub(?:Env|Global)|process\.(?:env|on|once|off|emit|memoryUsage|exitCode|chdir|kill)\b|setFlags/;

/** Text of a module that starts threads or processes. */
const startsOthers = /'node:(?:child_process|worker_threads)'/;

/** Hooks of a helper. They are registered only for the first file that imports it in a process. */
const hooksOfFile = /^(?:before|after)(?:All|Each)\(|^vi\./m;

/**
 * Returns the test files that can share a process, by their paths from the root: neither they nor the
 * modules of their package that they import need one of their own. A new process for each, which
 * loads what they import again, would take longer than most of them.
 */
export function findSharingTests(root) {
  const known = new Map();
  const canShare = (path) => {
    const before = known.get(path);
    if (before !== undefined) return before;
    // For modules that import one another.
    known.set(path, true);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const isTest = path.endsWith('.test.ts');
    const isHelper = !isTest && path.includes('/test/');
    const isAlone =
      startsOthers.test(text) ||
      ((isTest || isHelper) && needsProcess.test(text)) ||
      (isHelper && hooksOfFile.test(text));
    const imported = [...text.matchAll(/from '(\.[^']+)\.js'/g)].map(([, name]) =>
      join(dirname(path), `${name}.ts`),
    );
    const result = !isAlone && imported.every(canShare);
    known.set(path, result);
    return result;
  };
  return globSync(testFiles, { cwd: root }).filter((file) => canShare(join(root, file)));
}
