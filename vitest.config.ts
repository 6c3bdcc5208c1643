import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Named, because Vite's own search reads `extends` in a linked package from the link's place.
  tsconfig: `${import.meta.dirname}/tsconfig.base.json`,
  test: {
    include: ['{apps,packages,tooling}/*/{src,test}/**/*.test.ts'],
    globalSetup: ['tooling/testbed/src/vitest-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
