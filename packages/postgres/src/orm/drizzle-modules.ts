import { createRequire } from 'node:module';

/*
 * Loads drizzle as CommonJS. For each of its some 300 ES modules, Node would parse drizzle's
 * package.json again, which has 180 KB: a second of CPU and 150 MB of memory at every start, in every
 * thread.
 */
const require = createRequire(import.meta.url);

/** Exports of `drizzle-orm`: `sql`, `eq`, `and` and so on. */
export const drizzle: typeof import('drizzle-orm') = require('drizzle-orm');
/** Exports of `drizzle-orm/pg-core`: schemas, tables, columns. */
export const pgCore: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');
/** Exports of `drizzle-orm/node-postgres`. */
export const nodePostgres: typeof import('drizzle-orm/node-postgres') =
  require('drizzle-orm/node-postgres');
/** Exports of `drizzle-orm/errors`. */
export const drizzleErrors: typeof import('drizzle-orm/errors') = require('drizzle-orm/errors');
/** Exports of `drizzle-orm/cache/core`. */
export const drizzleCache: typeof import('drizzle-orm/cache/core') =
  require('drizzle-orm/cache/core');
