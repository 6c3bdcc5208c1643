import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Set, because Vite's own search resolves `extends` in a linked package relative to the link.
  tsconfig: `${import.meta.dirname}/tsconfig.base.json`,
  test: {
    include: ['{apps,packages,tooling}/*/{src,test}/**/*.test.ts'],
    globalSetup: ['tooling/testbed/src/vitest-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // What is waited for comes in milliseconds, unless the machine is busy.
    expect: { poll: { timeout: 20_000 } },
  },
});
