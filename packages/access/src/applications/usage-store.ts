import type { Queryable, Statement, Transaction } from '@posthaste/postgres';

/** Amounts of one application that are measured. */
export type UsageName = 'backlog' | 'endpoints' | 'storedBytes';

/** Usage of an application. Absent: it was not measured, or it has hardly any. */
export interface ApplicationUsage {
  readonly backlog: number;
  readonly endpoints: number;
  readonly storedBytes: number;
  readonly measuredAt: Date;
}

const columnOf: Readonly<Record<UsageName, string>> = {
  backlog: 'backlog',
  endpoints: 'endpoints',
  storedBytes: 'stored_bytes',
};

/** Age from which a measurement is no longer used, in seconds: nobody measures any more. */
const maxAgeSeconds = 120;
/** Most applications of one measurement: those with the highest amounts. */
const maxApplications = 2_000;

/**
 * Lets one process at a time measure. Returns false if another one does, or has within `withinMs`.
 * The lock lasts until the end of the transaction.
 */
export async function claimMeasurement(
  tx: Transaction,
  { name, withinMs }: { readonly name: UsageName; readonly withinMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update gateway.usage_measurement set measured_at = clock_timestamp()
     where name = (
       select name from gateway.usage_measurement
       where name = $1 and measured_at <= clock_timestamp() - $2::float8 * interval '1 ms'
       for update skip locked
     )`,
    [name, withinMs],
  );
  return rowCount === 1;
}

/** Stores the amounts of a measurement. Applications that it has not have none. */
export async function storeUsage(
  tx: Transaction,
  name: UsageName,
  amounts: ReadonlyMap<string, number>,
): Promise<void> {
  const column = columnOf[name];
  const highest = [...amounts].sort(([, a], [, b]) => b - a).slice(0, maxApplications);
  const applications = highest.map(([application]) => application);
  await tx.query(
    `update gateway.application_usage set ${column} = 0, measured_at = now()
     where ${column} > 0 and application <> all ($1::text[])`,
    [applications],
  );
  await tx.query(
    `insert into gateway.application_usage as u (application, ${column})
     select application, amount from unnest($1::text[], $2::bigint[]) as a(application, amount)
     order by application
     on conflict (application) do update set ${column} = excluded.${column}, measured_at = now()`,
    [applications, highest.map(([, amount]) => BigInt(Math.round(amount)))],
  );
  await tx.query(
    'delete from gateway.application_usage where backlog = 0 and endpoints = 0 and stored_bytes = 0',
  );
}

const readStatement: Statement = {
  name: 'access_usage_read',
  text: `
select application, backlog, endpoints, stored_bytes, measured_at from gateway.application_usage
where ($1::text[] is null or application = any($1))
  and measured_at > now() - interval '${maxAgeSeconds} s'`,
};

interface UsageRow {
  readonly application: string;
  readonly backlog: bigint;
  readonly endpoints: bigint;
  readonly stored_bytes: bigint;
  readonly measured_at: Date;
}

/** Returns the usage of these applications, or of all that have some. */
export async function readUsage(
  db: Queryable,
  applications: readonly string[] | 'all',
): Promise<ReadonlyMap<string, ApplicationUsage>> {
  const names = applications === 'all' ? null : applications;
  const { rows } = await db.query<UsageRow>(readStatement, [names]);
  return new Map(
    rows.map((row) => [
      row.application,
      {
        backlog: Number(row.backlog),
        endpoints: Number(row.endpoints),
        storedBytes: Number(row.stored_bytes),
        measuredAt: row.measured_at,
      },
    ]),
  );
}
