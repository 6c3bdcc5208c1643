import { describe, inject, type SuiteAPI } from 'vitest';
import './provided-context.js';

/** `describe` for tests on real Postgres: skipped where there is no server. */
export const describeWithPostgres: ReturnType<SuiteAPI['skipIf']> = describe.skipIf(
  inject('postgresUrl') === undefined,
);
