import { newId, PlatformError } from '@posthaste/contracts';
import { type Database, sqlState, type Transaction } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import type { EventFormat } from '../events/event-format.js';
import { checkName, type RequestRules } from '../field-checks.js';
import { type FieldFault, requestInvalid, withApplication } from '../field-faults.js';
import type { RecipientRegistry } from '../mail/recipient-registry.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import { policyNotFound } from '../retry/policies.js';
import type { PolicyInput } from '../retry/policy-input.js';
import { fromStoredPolicy, type RetryPolicy, toStoredPolicy } from '../retry/retry-policy.js';
import type { NewSecret, SecretSource, Secrets } from '../secrets/secrets.js';
import { releaseHeadsOfEndpoint } from './endpoint-hold.js';
import {
  type EndpointFields,
  type EndpointInput,
  type EndpointPatch,
  patchEndpointFields,
  toEndpointFields,
  toEndpointPolicyInput,
} from './endpoint-input.js';
import { type EndpointState, endpointNotFound, parseEndpointId } from './endpoint-state.js';
import type { EventOrder } from './event-order.js';

const { and, eq, getTableColumns, lt, sql } = drizzle;
const { doublePrecision, integer, json, pgSchema, text, timestamp, uuid } = pgCore;

/** A named URL that callbacks are sent to. */
export interface Endpoint extends Omit<EndpointFields, 'policy'> {
  readonly id: string;
  /** Its own policy, or the name of a stored one. */
  readonly policy: PolicyInput | string;
  readonly state: EndpointState;
  /** Reason for which it is paused or disabled. */
  readonly stateReason: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** An endpoint just created, with its secret. */
export interface NewEndpoint {
  readonly endpoint: Endpoint;
  /** Its signing secret, which is shown only this once. */
  readonly secret: NewSecret;
}

/** Filter of endpoints. An endpoint must match every member that is given. */
export interface EndpointFilter {
  readonly application?: string | undefined;
  readonly state?: EndpointState | undefined;
}

const table = pgSchema('callbacks').table('endpoint', {
  id: uuid().primaryKey(),
  application: text().notNull(),
  name: text().notNull(),
  url: text().notNull(),
  headers: json().$type<Record<string, string>>().notNull(),
  policy: json().$type<unknown>(),
  policyName: text('policy_name'),
  timeoutMs: integer('timeout_ms').notNull(),
  ratePerSecond: doublePrecision('rate_limit_per_second'),
  maxConcurrency: integer('max_concurrency'),
  order: text('order_key').$type<EventOrder>(),
  eventFormat: text('event_format').$type<EventFormat>().notNull().default('envelope'),
  notificationEmail: text('notification_email'),
  state: text().$type<EndpointState>().notNull().default('active'),
  stateReason: text('state_reason'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
});
const columns = getTableColumns(table);
type EndpointRow = typeof table.$inferSelect;

const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

/** Dependencies of {@link Endpoints}. */
export interface EndpointsDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly rules: RequestRules;
  /** Recipients of mails that callers name. Default: the worker stores them, as untrusted ones. */
  readonly recipients?: Pick<RecipientRegistry, 'registerIn'> | undefined;
}

/** Creates, changes, lists and removes endpoints. Their state is changed in endpoint-state.ts. */
export class Endpoints {
  readonly #db: Database;
  readonly #secrets: Secrets;
  readonly #rules: RequestRules;
  readonly #recipients: EndpointsDeps['recipients'];

  constructor({ db, secrets, rules, recipients }: EndpointsDeps) {
    this.#db = db;
    this.#secrets = secrets;
    this.#rules = rules;
    this.#recipients = recipients;
  }

  /**
   * Creates an endpoint and its secret, which is given or generated.
   * @throws PlatformError `REQUEST_INVALID`, `ENDPOINT_EXISTS`, `POLICY_NOT_FOUND`,
   *   `SECRET_INVALID`
   */
  async create(input: EndpointInput, source: SecretSource = {}): Promise<NewEndpoint> {
    const fields = toEndpointFields(input, this.#rules);
    return this.#db.transaction(async (tx) => {
      const [row] = await ormOf(tx)
        .insert(table)
        .values({ id: newId(), ...toColumns(fields) })
        .returning()
        .catch((error: unknown) => rethrow(error, fields));
      const endpoint = toEndpoint(row);
      await this.#registerRecipient(tx, endpoint, input);
      return { endpoint, secret: await this.#secrets.createForEndpoint(tx, endpoint, source) };
    });
  }

  /** Returns an endpoint. @throws PlatformError `ENDPOINT_NOT_FOUND` */
  async get(id: string): Promise<Endpoint> {
    const key = parseEndpointId(id);
    const [row] = await ormOf(this.#db).select().from(table).where(eq(table.id, key));
    if (!row) throw endpointNotFound(id);
    return toEndpoint(row);
  }

  /** Lists endpoints, newest first. @throws PlatformError `REQUEST_INVALID` */
  async list(filter: EndpointFilter = {}, page: PageRequest = {}): Promise<Page<Endpoint>> {
    const limit = pageLimit(page);
    const faults: FieldFault[] = [];
    checkName('application', filter.application, faults);
    if (faults.length > 0) throw requestInvalid(faults);
    const rows = await ormOf(this.#db)
      .select()
      .from(table)
      .where(
        and(
          page.cursor === undefined ? undefined : lt(table.id, parseIdCursor(page.cursor)),
          filter.application === undefined ? undefined : eq(table.application, filter.application),
          filter.state === undefined ? undefined : eq(table.state, filter.state),
        ),
      )
      .orderBy(sql`${table.id} desc`)
      .limit(limit + 1);
    return toPage(rows, { limit, toItem: toEndpoint, cursorAfter: ({ id }) => toIdCursor(id) });
  }

  /**
   * Changes an endpoint. New headers and limits apply to all further attempts (workers notice
   * within seconds). A new URL, policy, order, time-out or event format applies to further events
   * only: callbacks that exist keep theirs.
   * @throws PlatformError `REQUEST_INVALID`, `ENDPOINT_NOT_FOUND`, `ENDPOINT_EXISTS`,
   *   `POLICY_NOT_FOUND`
   */
  async update(id: string, patch: EndpointPatch): Promise<Endpoint> {
    const key = parseEndpointId(id);
    return this.#db.transaction(async (tx) => {
      const [before] = await ormOf(tx).select().from(table).where(eq(table.id, key)).for('update');
      if (!before) throw endpointNotFound(id);
      const fields = patchEndpointFields(toFields(before), patch, this.#rules);
      const [row] = await ormOf(tx)
        .update(table)
        .set({ ...toColumns(fields), updatedAt: sql`now()` })
        .where(eq(table.id, key))
        .returning()
        .catch((error: unknown) => rethrow(error, fields));
      const endpoint = toEndpoint(row);
      if (patch.notificationEmail) await this.#registerRecipient(tx, endpoint, patch);
      return endpoint;
    });
  }

  async #registerRecipient(
    tx: Transaction,
    { application, notificationEmail }: Endpoint,
    { isRecipientTrusted: isTrusted = false }: EndpointPatch,
  ): Promise<void> {
    if (notificationEmail === undefined) return;
    await this.#recipients?.registerIn(tx, { application, address: notificationEmail, isTrusted });
  }

  /**
   * Removes an endpoint with its subscriptions and its secret. Its remaining callbacks are not
   * sent: a worker ends each as `cancelled` when it is due, so that the history shows its ending
   * and its queue moves on.
   * @throws PlatformError `ENDPOINT_NOT_FOUND`
   */
  async remove(id: string): Promise<void> {
    const key = parseEndpointId(id);
    await this.#db.transaction(async (tx) => {
      const [row] = await ormOf(tx).delete(table).where(eq(table.id, key)).returning(columns);
      if (!row) throw endpointNotFound(id);
      await this.#secrets.removeForEndpoint(tx, row);
    });
    await releaseHeadsOfEndpoint(this.#db, key);
  }
}

function toColumns({ policy, order, ...fields }: EndpointFields) {
  const named = typeof policy === 'string';
  return {
    ...fields,
    policy: named ? null : toStoredPolicy(policy),
    policyName: named ? policy : null,
    ratePerSecond: fields.ratePerSecond ?? null,
    maxConcurrency: fields.maxConcurrency ?? null,
    notificationEmail: fields.notificationEmail ?? null,
    order: order === 'none' ? null : order,
  };
}

function toFields(row: EndpointRow): EndpointFields {
  return {
    application: row.application,
    name: row.name,
    url: row.url,
    headers: row.headers,
    policy: toPolicy(row),
    timeoutMs: row.timeoutMs,
    ratePerSecond: row.ratePerSecond ?? undefined,
    maxConcurrency: row.maxConcurrency ?? undefined,
    order: row.order ?? 'none',
    eventFormat: row.eventFormat,
    notificationEmail: row.notificationEmail ?? undefined,
  };
}

function toPolicy({ policy, policyName }: EndpointRow): RetryPolicy | string {
  return policyName ?? fromStoredPolicy(policy);
}

function toEndpoint(row: EndpointRow | undefined): Endpoint {
  if (!row) throw new PlatformError('INTERNAL', 'the database returned no row for the endpoint');
  const { policy, ...fields } = toFields(row);
  return {
    id: row.id,
    ...fields,
    policy: toEndpointPolicyInput(policy),
    state: row.state,
    stateReason: row.stateReason ?? undefined,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

function rethrow(error: unknown, { application, name, policy }: EndpointFields): never {
  switch (sqlState(error)) {
    case uniqueViolation: {
      const message = `${withApplication(`endpoint '${name}'`, application)} already exists`;
      throw new PlatformError('ENDPOINT_EXISTS', message, { cause: error });
    }
    case foreignKeyViolation:
      throw policyNotFound(typeof policy === 'string' ? policy : '');
    default:
      throw error;
  }
}
