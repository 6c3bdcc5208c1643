/*
 * `@posthaste/postgres/drizzle`: apart from the rest because drizzle is a hundred modules and 8 MB in
 * each thread, and most threads write their SQL themselves.
 */
export { drizzle, pgCore } from './orm/drizzle-modules.js';
export { type Orm, type OrmResult, ormOf } from './orm/orm.js';
