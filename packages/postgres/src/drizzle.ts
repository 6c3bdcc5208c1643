/*
 * Entry point `@posthaste/postgres/drizzle`. It is separate because drizzle loads some hundred modules
 * and 8 MB in each thread, and most threads do not use it.
 */
export { drizzle, pgCore } from './orm/drizzle-modules.js';
export { type Orm, type OrmResult, ormOf } from './orm/orm.js';
