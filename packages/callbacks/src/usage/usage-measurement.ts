import type { Queryable } from '@posthaste/postgres';

/** Amounts by application. Applications without any are missing. */
export type Amounts = ReadonlyMap<string, number>;

/** Bytes of a row besides its body: columns, headers and its part of the indexes, roughly. */
const rowBytes = 500;

/**
 * Most blocks of a table that a measurement reads, 16 MB. A larger table is sampled: blocks at random,
 * and the amount is that of the sample times the part of the table that it is. An application with few
 * rows in a large table is then measured roughly; one that has most of the table, well.
 */
const maxBlocks = 2_000;
/** The same for a table of which each row is looked up in another one. */
const maxJoinedBlocks = 200;

interface AmountRow {
  readonly application: string;
  readonly amount: number;
}

/** Measures the callbacks of each application that are not finished. */
export async function measureBacklog(db: Queryable): Promise<Amounts> {
  const heads = await sample(db, { table: 'callbacks.head', amount: 'count(*)' });
  const waiting = await sample(db, { table: 'callbacks.waiting', amount: 'count(*)' });
  return addAmounts(heads, waiting);
}

/** Measures the endpoints of each application. */
export function measureEndpoints(db: Queryable): Promise<Amounts> {
  return sample(db, { table: 'callbacks.endpoint', amount: 'count(*)' });
}

/** Measures the bytes of each application's callbacks and their answers. */
export async function measureCallbackBytes(db: Queryable): Promise<Amounts> {
  const requests = await sample(db, {
    table: 'callbacks.request',
    amount: `sum(coalesce(octet_length(body), 0) + ${rowBytes})`,
  });
  const answers = await sample(db, {
    table: 'callbacks.history',
    amount: `sum(coalesce(octet_length(response_body), 0) + ${rowBytes})`,
    application: '(select r.application from callbacks.request r where r.id = callback_id limit 1)',
    blocks: maxJoinedBlocks,
  });
  return addAmounts(requests, answers);
}

/** Returns the sums of two measurements. */
export function addAmounts(one: Amounts, other: Amounts): Amounts {
  const sums = new Map(one);
  for (const [application, amount] of other) {
    sums.set(application, (sums.get(application) ?? 0) + amount);
  }
  return sums;
}

interface Sample {
  readonly table: string;
  /** SQL for the amount of a group of rows. */
  readonly amount: string;
  /** SQL for the application of a row. Default: the column. */
  readonly application?: string;
  /** Default: `maxBlocks`. */
  readonly blocks?: number;
}

/** `pg_partition_tree` has the table itself, too, whether or not it has partitions. */
async function sample(db: Queryable, request: Sample): Promise<Amounts> {
  const { table, amount, application = 'application', blocks = maxBlocks } = request;
  const { rows: sizes } = await db.query<{ blocks: number }>(
    `select (sum(pg_relation_size(relid)) / current_setting('block_size')::float8)::float8 as blocks
     from pg_partition_tree($1::regclass)`,
    [table],
  );
  const percent = Math.min(100, (100 * blocks) / Math.max(1, sizes[0]?.blocks ?? 1));
  const { rows } = await db.query<AmountRow>(
    `select t.owner as application, (${amount} * 100 / $1::float8)::float8 as amount
     from (select *, ${application} as owner from ${table} tablesample system ($1::float8)) as t
     where t.owner is not null group by t.owner`,
    [percent],
  );
  return new Map(rows.map(({ application: name, amount: sum }) => [name, sum]));
}
