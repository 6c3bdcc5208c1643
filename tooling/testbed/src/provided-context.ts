import type {} from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** The Postgres server of this test run; undefined when there is none. */
    postgresUrl: string | undefined;
  }
}
