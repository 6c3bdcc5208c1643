import {
  eventPatternFault,
  newId,
  PlatformError,
  parseId,
  parseJsonWithDigits,
  stringifyExactJson,
} from '@posthaste/contracts';
import { type Database, sqlState } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import { endpointNotFound, parseEndpointId } from '../endpoints/endpoint-state.js';
import { checkName } from '../field-checks.js';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import { EventFilters } from './event-filter.js';

const { and, eq, getTableColumns, lt, sql } = drizzle;
const { customType, pgSchema, text, timestamp, uuid } = pgCore;

type Filter = Readonly<Record<string, unknown>>;

/** Conditions of a subscription. An event must match all that are given. */
export interface SubscriptionFields {
  /** Pattern of event names, see `EventPattern`: `order.created`, `order.*`, `order.**`. */
  readonly eventName: string;
  /** Exact namespace. Default: any. */
  readonly namespace?: string | null | undefined;
  /**
   * JSON Schema that the payload must satisfy, see event-filter.ts. Numbers that a double does not
   * hold are bigints or `JsonNumber`s. Default: any payload.
   */
  readonly filter?: Filter | null | undefined;
}

/** A new subscription. */
export interface SubscriptionInput extends SubscriptionFields {
  readonly endpointId: string;
}

/** A subscription of an endpoint to the events that match its conditions. */
export interface Subscription {
  readonly id: string;
  readonly endpointId: string;
  readonly eventName: string;
  readonly namespace: string | undefined;
  /** As it was given; its numbers are as `parseJsonWithDigits` returns them. */
  readonly filter: Filter | undefined;
  readonly createdAt: Date;
}

/** JSON that is written with every digit of its numbers. */
const exactJson = customType<{ data: Filter; driverData: string }>({
  dataType: () => 'json',
  toDriver: stringifyExactJson,
});

const table = pgSchema('callbacks').table('subscription', {
  id: uuid().primaryKey(),
  endpointId: uuid('endpoint_id').notNull(),
  eventName: text('event_name').notNull(),
  namespace: text(),
  filter: exactJson(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});

/** The filter as text, because a JSON value of the driver would have its numbers rounded. */
const columns = {
  ...getTableColumns(table),
  filter: sql<string | null>`${table.filter}::text`,
};

type Row = Omit<typeof table.$inferSelect, 'filter'> & { readonly filter: string | null };

const foreignKeyViolation = '23503';

/**
 * Creates, changes, lists and removes subscriptions. A change applies to events consumed after it.
 */
export class Subscriptions {
  readonly #db: Database;
  readonly #filters = new EventFilters();

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Creates a subscription.
   * @throws PlatformError `REQUEST_INVALID`, with all faults as `details`; `ENDPOINT_NOT_FOUND`
   */
  async create(input: SubscriptionInput): Promise<Subscription> {
    this.#check(input);
    const endpointId = parseEndpointId(input.endpointId);
    const [row] = await ormOf(this.#db)
      .insert(table)
      .values({ id: newId(), endpointId, ...toColumns(input) })
      .returning(columns)
      .catch((error: unknown) => {
        throw sqlState(error) === foreignKeyViolation ? endpointNotFound(endpointId) : error;
      });
    return toSubscription(row, endpointId);
  }

  /** Returns a subscription. @throws PlatformError `SUBSCRIPTION_NOT_FOUND` */
  async get(id: string): Promise<Subscription> {
    const key = parseSubscriptionId(id);
    const [row] = await ormOf(this.#db).select(columns).from(table).where(eq(table.id, key));
    return toSubscription(row, id);
  }

  /**
   * Lists subscriptions, newest first.
   * @throws PlatformError `REQUEST_INVALID`; `ENDPOINT_NOT_FOUND` when `endpointId` is not an id
   */
  async list(
    filter: { readonly endpointId?: string | undefined } = {},
    page: PageRequest = {},
  ): Promise<Page<Subscription>> {
    const limit = pageLimit(page);
    const { endpointId } = filter;
    const rows = await ormOf(this.#db)
      .select(columns)
      .from(table)
      .where(
        and(
          page.cursor === undefined ? undefined : lt(table.id, parseIdCursor(page.cursor)),
          endpointId === undefined ? undefined : eq(table.endpointId, parseEndpointId(endpointId)),
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
   * Replaces the conditions of a subscription.
   * @throws PlatformError `REQUEST_INVALID`, `SUBSCRIPTION_NOT_FOUND`
   */
  async update(id: string, fields: SubscriptionFields): Promise<Subscription> {
    this.#check(fields);
    const key = parseSubscriptionId(id);
    const [row] = await ormOf(this.#db)
      .update(table)
      .set(toColumns(fields))
      .where(eq(table.id, key))
      .returning(columns);
    return toSubscription(row, id);
  }

  /**
   * Removes a subscription. Callbacks made for it before are still delivered.
   * @throws PlatformError `SUBSCRIPTION_NOT_FOUND`
   */
  async remove(id: string): Promise<void> {
    const key = parseSubscriptionId(id);
    const [row] = await ormOf(this.#db).delete(table).where(eq(table.id, key)).returning();
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

function toColumns({ eventName, namespace, filter }: SubscriptionFields) {
  return { eventName, namespace: namespace ?? null, filter: filter ?? null };
}

function toSubscription(row: Row | undefined, id: string): Subscription {
  if (!row) throw subscriptionNotFound(id);
  const filter = row.filter === null ? undefined : (parseJsonWithDigits(row.filter) as Filter);
  return { ...row, namespace: row.namespace ?? undefined, filter };
}

function parseSubscriptionId(text: string): string {
  const id = parseId(text);
  if (id === undefined) throw subscriptionNotFound(text);
  return id;
}

function subscriptionNotFound(id: string): PlatformError {
  return new PlatformError('SUBSCRIPTION_NOT_FOUND', `there is no subscription ${id.slice(0, 64)}`);
}
