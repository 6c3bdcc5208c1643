import {
  type Applications,
  eventPatternFault,
  newId,
  PlatformError,
  parseId,
  parseJsonWithDigits,
  stringifyExactJson,
  toApplicationColumn,
} from '@posthaste/contracts';
import { type Database, type Statement, sqlState } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import { endpointNotFound, parseEndpointId } from '../endpoints/endpoint-state.js';
import { type ChangeCondition, checkVersion, versionOf } from '../entity-version.js';
import { checkName } from '../field-checks.js';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import { FilterChecker } from '../filters/filter-checker.js';
import type { SubscriptionFault } from '../filters/filter-fault.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import type {
  PayloadFilter,
  Subscription,
  SubscriptionFields,
  SubscriptionFilter,
  SubscriptionInput,
} from './subscription.js';

const { and, eq, getTableColumns, lt, sql } = drizzle;
const { customType, json, pgSchema, text, timestamp, uuid } = pgCore;

/** JSON that is written with every digit of its numbers. */
const exactJson = customType<{ data: PayloadFilter; driverData: string }>({
  dataType: () => 'json',
  toDriver: stringifyExactJson,
});

const table = pgSchema('callbacks').table('subscription', {
  id: uuid().primaryKey(),
  endpointId: uuid('endpoint_id').notNull(),
  eventName: text('event_name').notNull(),
  namespace: text(),
  filter: exactJson(),
  fault: json().$type<Omit<SubscriptionFault, 'at'> & { readonly at: string }>(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

/** The filter as text, because a JSON value of the driver would have its numbers rounded. */
const columns = {
  ...getTableColumns(table),
  filter: sql<string | null>`${table.filter}::text`,
};

type Row = Omit<typeof table.$inferSelect, 'filter'> & { readonly filter: string | null };

const foreignKeyViolation = '23503';
const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const endpointStatement: Statement = {
  name: 'callbacks_subscription_endpoint',
  text: `select from callbacks.endpoint
    where id = $1 and ($2::text[] is null or application = any($2))`,
};

/**
 * Creates, changes, lists and removes subscriptions. A change applies to events consumed after it.
 */
export class Subscriptions {
  readonly #db: Database;
  readonly #filters = new FilterChecker();

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Creates a subscription, to an endpoint of these applications.
   * @throws PlatformError `REQUEST_INVALID`, with all faults as `details`; `ENDPOINT_NOT_FOUND`
   */
  async create(input: SubscriptionInput, within: Applications): Promise<Subscription> {
    this.#check(input);
    const endpointId = parseEndpointId(input.endpointId);
    // Its application never changes, so no transaction is needed.
    const { rows } = await this.#db.query(endpointStatement, [
      endpointId,
      toApplicationColumn(within),
    ]);
    if (rows.length === 0) throw endpointNotFound(endpointId);
    const [row] = await ormOf(this.#db)
      .insert(table)
      .values({ id: newId(), endpointId, ...toColumns(input) })
      .returning(columns)
      .catch((error: unknown) => {
        throw sqlState(error) === foreignKeyViolation ? endpointNotFound(endpointId) : error;
      });
    return toSubscription(row, endpointId);
  }

  /** Returns a subscription of these applications. @throws PlatformError `SUBSCRIPTION_NOT_FOUND` */
  async get(id: string, within: Applications): Promise<Subscription> {
    const key = parseSubscriptionId(id);
    const [row] = await ormOf(this.#db).select(columns).from(table).where(isVisible(key, within));
    return toSubscription(row, id);
  }

  /**
   * Lists subscriptions, newest first. Those of single applications are found by their endpoints
   * (indexes `endpoint_application` and `subscription_of_endpoint`): a page reads the ids of all
   * subscriptions that they have, and none of others.
   * @throws PlatformError `REQUEST_INVALID`; `ENDPOINT_NOT_FOUND` when `endpointId` is not an id
   */
  async list(
    { within, ...filter }: SubscriptionFilter,
    page: PageRequest = {},
  ): Promise<Page<Subscription>> {
    const limit = pageLimit(page);
    const endpointId =
      filter.endpointId === undefined ? undefined : parseEndpointId(filter.endpointId);
    const before = page.cursor === undefined ? undefined : parseIdCursor(page.cursor);
    const ofEach = within !== 'all' && endpointId === undefined ? [...new Set(within)] : undefined;
    const rows = await ormOf(this.#db)
      .select(columns)
      .from(table)
      .where(
        ofEach
          ? sql`${table.id} in (${newestOf(ofEach, before ?? highestId, limit + 1)})`
          : and(
              before === undefined ? undefined : lt(table.id, before),
              endpointId === undefined ? undefined : eq(table.endpointId, endpointId),
              belongsTo(within),
            ),
      )
      .orderBy(sql`${table.id} desc`)
      .limit(limit + 1);
    return toPage(rows, {
      limit,
      toItem: (row) => toSubscription(row, row.id),
      cursorAfter: ({ id }) => toIdCursor(id),
    });
  }

  /**
   * Replaces the conditions of a subscription, and removes its fault. Without `ifMatch` the last of several changes wins.
   * @throws PlatformError `REQUEST_INVALID`, `SUBSCRIPTION_NOT_FOUND`, `PRECONDITION_FAILED`
   */
  async update(
    id: string,
    fields: SubscriptionFields,
    condition: ChangeCondition,
  ): Promise<Subscription> {
    this.#check(fields);
    const key = parseSubscriptionId(id);
    return this.#db.transaction(async (tx) => {
      const visible = isVisible(key, condition.within);
      const [before] = await ormOf(tx).select(columns).from(table).where(visible).for('update');
      checkVersion(condition, `subscription ${key}`, toSubscription(before, id).version);
      const [row] = await ormOf(tx)
        .update(table)
        .set(toColumns(fields))
        .where(eq(table.id, key))
        .returning(columns);
      return toSubscription(row, id);
    });
  }

  /**
   * Removes a subscription. Callbacks made for it before are still delivered.
   * @throws PlatformError `SUBSCRIPTION_NOT_FOUND`
   */
  async remove(id: string, within: Applications): Promise<void> {
    const key = parseSubscriptionId(id);
    const [row] = await ormOf(this.#db).delete(table).where(isVisible(key, within)).returning();
    if (!row) throw subscriptionNotFound(id);
  }

  #check({ eventName, namespace, filter }: SubscriptionFields): void {
    const faults: FieldFault[] = [];
    const pattern = eventPatternFault(eventName);
    if (pattern !== undefined) faults.push({ field: 'eventName', message: pattern });
    checkName('namespace', namespace ?? undefined, faults);
    const schema = filter == null ? undefined : this.#filters.fault(filter);
    if (schema !== undefined) faults.push({ field: 'filter', message: schema });
    if (faults.length > 0) throw requestInvalid(faults);
  }
}

function isVisible(id: string, within: Applications) {
  return and(eq(table.id, id), belongsTo(within));
}

function belongsTo(within: Applications) {
  if (within === 'all') return undefined;
  return sql`exists (
    select from callbacks.endpoint e
    where e.id = ${table.endpointId} and e.application = any(${sql.param(within)}::text[])
  )`;
}

/** Returns SQL for the ids of the newest subscriptions before `before`. */
function newestOf(applications: readonly string[], before: string, limit: number) {
  // `offset 0` keeps the planner from reading the subscriptions of all and dropping most of them.
  return sql`
    select n.id from unnest(${sql.param(applications)}::text[]) a(application)
    cross join lateral (
      select e.id from callbacks.endpoint e where e.application = a.application offset 0
    ) e
    cross join lateral (
      select s.id from callbacks.subscription s
      where s.endpoint_id = e.id and s.id < ${before}::uuid order by s.id desc limit ${limit}
    ) n
    order by n.id desc limit ${limit}`;
}

function toColumns({ eventName, namespace, filter }: SubscriptionFields) {
  return { eventName, namespace: namespace ?? null, filter: filter ?? null };
}

function toSubscription(row: Row | undefined, id: string): Subscription {
  if (!row) throw subscriptionNotFound(id);
  const filter =
    row.filter === null ? undefined : (parseJsonWithDigits(row.filter) as PayloadFilter);
  const fault = row.fault === null ? undefined : { ...row.fault, at: new Date(row.fault.at) };
  // A fault is not a change of the subscription.
  const version = versionOf({ ...row, fault: null });
  return { ...row, namespace: row.namespace ?? undefined, filter, fault, version };
}

function parseSubscriptionId(text: string): string {
  const id = parseId(text);
  if (id === undefined) throw subscriptionNotFound(text);
  return id;
}

function subscriptionNotFound(id: string): PlatformError {
  return new PlatformError('SUBSCRIPTION_NOT_FOUND', `there is no subscription ${id.slice(0, 64)}`);
}
