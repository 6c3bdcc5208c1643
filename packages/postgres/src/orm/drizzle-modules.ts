import { createRequire } from 'node:module';

/*
 * drizzle as CommonJS. For each of its some 300 ES modules Node parses drizzle's package.json
 * again, which is 180 KB: at every start, in every thread, a second of CPU and 150 MB of memory.
 */
const require = createRequire(import.meta.url);

/** What `drizzle-orm` exports: `sql`, `eq`, `and` and so on. */
export const drizzle: typeof import('drizzle-orm') = require('drizzle-orm');
/** What `drizzle-orm/pg-core` exports: schemas, tables, columns. */
export const pgCore: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');
/** What `drizzle-orm/node-postgres` exports. */
export const nodePostgres: typeof import('drizzle-orm/node-postgres') =
  require('drizzle-orm/node-postgres');
/** What `drizzle-orm/errors` exports. */
export const drizzleErrors: typeof import('drizzle-orm/errors') = require('drizzle-orm/errors');
/** What `drizzle-orm/cache/core` exports. */
export const drizzleCache: typeof import('drizzle-orm/cache/core') =
  require('drizzle-orm/cache/core');
