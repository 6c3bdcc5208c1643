import type { Queryable } from '@posthaste/postgres';

/** Tables that name applications. Each has an index that begins with the column. */
const tables = ['request', 'queue', 'secret', 'endpoint'] as const;

/** Returns SQL of the first name in all tables that meets the condition. */
function firstName(condition: string): string {
  const perTable = tables.map(
    (table) =>
      `(select application from callbacks.${table} where ${condition} order by application limit 1)`,
  );
  return `least(${perTable.join(', ')})`;
}

/**
 * Returns the statement that jumps from name to name in the indexes: its cost is that of the names,
 * not of the rows.
 */
function namesFrom(condition: string): string {
  return `
with recursive names (name, n) as (
  select ${firstName(condition)}, 1
  union all
  select ${firstName('application > names.name')}, n + 1
  from names where name is not null and n < $1
)
select name from names where name is not null order by n`;
}

const firstNames = namesFrom('true');
const namesAfter = namesFrom('application > $2');

/**
 * Lists the next `limit` names of applications that have callbacks, queues, secrets or endpoints, in
 * the order of the database. `after` is the last name listed before.
 */
export async function listApplicationNames(
  db: Queryable,
  after: string | undefined,
  limit: number,
): Promise<string[]> {
  const { rows } = await (after === undefined
    ? db.query<{ name: string }>(firstNames, [limit])
    : db.query<{ name: string }>(namesAfter, [limit, after]));
  return rows.map(({ name }) => name);
}
