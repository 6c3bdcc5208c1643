import { PlatformError } from '@posthaste/contracts';
import { type Queryable, type Statement, sqlState } from '@posthaste/postgres';

/** Identifies a policy. */
export interface PolicyKey {
  /** Application that it belongs to; absent: it is shared by all. */
  readonly application: string | undefined;
  readonly name: string;
}

/** Policy of an application by its name, which may be a shared one. */
export interface PolicyReference {
  readonly application: string;
  readonly name: string;
}

/** Row of a policy. */
export interface PolicyRow {
  readonly name: string;
  /** Null for a shared policy. */
  readonly application: string | null;
  readonly policy: unknown;
  readonly updated_at: Date;
}

const foreignKeyViolation = '23503';

const putSharedStatement: Statement = {
  name: 'callbacks_policy_put',
  text: `insert into callbacks.policy (name, policy) values ($1, $2)
    on conflict (name) do update set policy = excluded.policy, updated_at = now()
    returning name, null as application, policy, updated_at`,
};

const putOwnStatement: Statement = {
  name: 'callbacks_policy_put_own',
  text: `insert into callbacks.application_policy (name, policy, application) values ($1, $2, $3)
    on conflict (application, name) do update set policy = excluded.policy, updated_at = now()
    returning name, application, policy, updated_at`,
};

/** Inserts a policy, or replaces it. */
export async function putPolicy(
  db: Queryable,
  { application, name }: PolicyKey,
  policy: string,
): Promise<PolicyRow> {
  const { rows } =
    application === undefined
      ? await db.query<PolicyRow>(putSharedStatement, [name, policy])
      : await db.query<PolicyRow>(putOwnStatement, [name, policy, application]);
  if (rows[0]) return rows[0];
  throw new PlatformError('INTERNAL', 'storing a policy returned no row');
}

const removeSharedStatement: Statement = {
  name: 'callbacks_policy_remove',
  text: 'delete from callbacks.policy where name = $1',
};

const removeOwnStatement: Statement = {
  name: 'callbacks_policy_remove_own',
  text: 'delete from callbacks.application_policy where name = $1 and application = $2',
};

/** Removes a policy; false when there is none. @throws PlatformError `POLICY_IN_USE` */
export async function deletePolicy(
  db: Queryable,
  { application, name }: PolicyKey,
): Promise<boolean> {
  const removing =
    application === undefined
      ? db.query(removeSharedStatement, [name])
      : db.query(removeOwnStatement, [name, application]);
  const { rowCount } = await removing.catch((error: unknown) => {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    const message = `retry policy '${name}' is used by endpoints; give them another one first`;
    throw new PlatformError('POLICY_IN_USE', message, { cause: error });
  });
  return rowCount > 0;
}

/** Reads policies by reference: the one that the application has of this name, else the shared one. */
const findStatement: Statement = {
  name: 'callbacks_policy_find',
  text: `
select k.n, k.name, o.application, coalesce(o.policy, p.policy) as policy,
  coalesce(o.updated_at, p.updated_at) as updated_at
from unnest($1::text[], $2::text[]) with ordinality as k(application, name, n)
left join callbacks.application_policy o on o.application = k.application and o.name = k.name
left join callbacks.policy p on p.name = k.name
where coalesce(o.policy, p.policy) is not null`,
};

/**
 * Finds policies by reference, each with the index of its reference from 1. Without an application,
 * the shared policy.
 */
export async function findPolicies(
  db: Queryable,
  references: readonly PolicyKey[],
): Promise<(PolicyRow & { readonly n: bigint })[]> {
  const values = [
    references.map(({ application }) => application ?? null),
    references.map(({ name }) => name),
  ];
  return (await db.query<PolicyRow & { readonly n: bigint }>(findStatement, values)).rows;
}

const findOwnStatement: Statement = {
  name: 'callbacks_policy_find_own',
  text: `select name, application, policy, updated_at from callbacks.application_policy
    where application = $1 and name = $2`,
};

/** Finds the policy that an application itself has of this name. */
export async function findOwnPolicy(
  db: Queryable,
  { application, name }: PolicyReference,
): Promise<PolicyRow | undefined> {
  return (await db.query<PolicyRow>(findOwnStatement, [application, name])).rows[0];
}

/**
 * SQL of a page: shared policies, and those of applications, by name; of one name the shared one
 * first. `$1` and `$2` are name and place of the last item of the page before, `$3` is the limit.
 */
const pageText = (own: string): string => `
(
  select name, null as application, '' as place, policy, updated_at from callbacks.policy
  where name >= $1 and (name, '') > ($1, $2) order by name limit $3
)
union all
(${own})
order by name, place limit $3`;

const ownColumns = `o.name, o.application, '=' || o.application as place, o.policy, o.updated_at`;
const ownCondition = `o.name >= $1 and (o.name, '=' || o.application) > ($1, $2)`;

const pageStatement: Statement = {
  name: 'callbacks_policy_page',
  text: pageText(`
select ${ownColumns} from callbacks.application_policy o
where ${ownCondition} order by o.name, o.application limit $3`),
};

/** The same for the applications `$4`: at most `$3` policies of each are read. */
const ownPageStatement: Statement = {
  name: 'callbacks_policy_page_own',
  text: pageText(`
select k.* from unnest($4::text[]) a(application)
cross join lateral (
  select ${ownColumns} from callbacks.application_policy o
  where o.application = a.application and ${ownCondition} order by o.name limit $3
) k
order by k.name, k.place limit $3`),
};

/** Page of policies to read. */
export interface PolicyPageRequest {
  /** Name and place of the last item of the page before. */
  readonly after: readonly [name: string, place: string];
  /** Applications whose policies are listed beside the shared ones; absent: all. */
  readonly applications: readonly string[] | undefined;
  readonly limit: number;
}

/** Lists policies by name. Indexes: the primary keys, `application_policy_name` for all. */
export async function listPolicies(
  db: Queryable,
  { after, applications, limit }: PolicyPageRequest,
): Promise<PolicyRow[]> {
  const values = [...after, limit];
  const { rows } = applications
    ? await db.query<PolicyRow>(ownPageStatement, [...values, applications])
    : await db.query<PolicyRow>(pageStatement, values);
  return rows;
}

/** Returns the place of a policy among those of its name, for the cursor of a page. */
export function placeOf({ application }: PolicyKey): string {
  return application === undefined ? '' : `=${application}`;
}
