import { defineConfig } from 'vitest/config';
import { findSharingTests, LongestFirst, testFiles } from './tooling/bootstrap/test-files.mjs';

const root = import.meta.dirname;

// Programs that the tests start begin faster with what V8 has compiled before.
process.env.NODE_COMPILE_CACHE ??= `${root}/node_modules/.cache/node-compile`;

const sharing = findSharingTests(root);

export default defineConfig({
  // Set, because Vite's own search resolves `extends` in a linked package relative to the link.
  tsconfig: `${root}/tsconfig.base.json`,
  test: {
    // Tests of servers wait much: with two workers, two cores are idle for a part of the time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['tooling/testbed/src/vitest-wait.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is waited for comes in milliseconds, unless the machine is busy.
    expect: { poll: { timeout: 20_000 } },
    globalSetup: ['tooling/testbed/src/vitest-setup-once.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'isolated',
          include: [testFiles],
          exclude: ['**/node_modules/**', ...sharing],
        },
      },
      { extends: true, test: { name: 'sharing', include: sharing, isolate: false } },
    ],
  },
});
