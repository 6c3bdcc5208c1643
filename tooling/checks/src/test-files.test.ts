import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './workspace.js';

interface TestFiles {
  readonly slowest: readonly string[];
  findSharingTests(root: string): string[];
}

// It is JavaScript without types, because the configuration of the tests imports it.
const { slowest, findSharingTests }: TestFiles = await import(
  join(root, 'tooling/bootstrap/test-files.mjs')
);

it('the slowest test files exist', () => {
  expect(slowest).not.toEqual([]);
  expect(slowest.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

it('test files that start processes, or whose helpers have hooks, share no process', () => {
  const sharing = findSharingTests(root);
  const isolated = [
    'apps/standalone/src/commands/events.test.ts',
    'packages/eventstream/test/kafka-faults.test.ts',
    'packages/postgres/src/embedded/open-embedded.test.ts',
    'tooling/checks/src/published-packages.test.ts',
  ];
  const files = [
    'packages/contracts/src/ids.test.ts',
    'packages/callbacks/src/queues/queues.test.ts',
  ];
  expect([...files, ...isolated].filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(files.filter((file) => !sharing.includes(file))).toEqual([]);
  expect(isolated.filter((file) => sharing.includes(file))).toEqual([]);
});
