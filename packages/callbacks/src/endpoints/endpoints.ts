import { type Applications, newId, PlatformError } from '@posthaste/contracts';
import { afterCommit, type Database, type Transaction } from '@posthaste/postgres';
import { drizzle, ormOf, pgCore } from '@posthaste/postgres/drizzle';
import { type ApplicationFilter, listedApplications } from '../application-filter.js';
import { type ChangeCondition, checkVersion } from '../entity-version.js';
import type { EventFormat } from '../events/event-format.js';
import { checkName, type RequestRules } from '../field-checks.js';
import { type FieldFault, requestInvalid } from '../field-faults.js';
import type { RecipientRegistry } from '../mail/recipient-registry.js';
import {
  type Page,
  type PageRequest,
  pageLimit,
  parseIdCursor,
  toIdCursor,
  toPage,
} from '../page.js';
import type { NewSecret, SecretSource, Secrets } from '../secrets/secrets.js';
import { releaseHeadsOfEndpoint } from './endpoint-hold.js';
import {
  type EndpointFields,
  type EndpointInput,
  type EndpointPatch,
  patchEndpointFields,
  toEndpointFields,
} from './endpoint-input.js';
import { type PolicyColumns, toPolicyColumns } from './endpoint-policy.js';
import {
  type Endpoint,
  type EndpointRow,
  rethrowWriteError,
  toColumns,
  toEndpoint,
  toFields,
} from './endpoint-row.js';
import { type EndpointState, endpointNotFound, parseEndpointId } from './endpoint-state.js';
import type { EventOrder } from './event-order.js';

const { and, eq, getTableColumns, inArray, lt, sql } = drizzle;
const { doublePrecision, integer, json, pgSchema, text, timestamp, uuid } = pgCore;

/** An endpoint just created, with its secret. */
export interface NewEndpoint {
  readonly endpoint: Endpoint;
  /** Its signing secret, which is shown only this once. */
  readonly secret: NewSecret;
}

/** Filter of endpoints. An endpoint must match every member that is given. */
export interface EndpointFilter extends ApplicationFilter {
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
  ownPolicyName: text('own_policy_name'),
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

const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

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
        .values({ id: newId(), ...toColumns(fields), ...(await toPolicyColumns(tx, fields)) })
        .returning()
        .catch((error: unknown) => rethrowWriteError(error, fields));
      const endpoint = toStored(row);
      await this.#registerRecipient(tx, endpoint, input);
      return { endpoint, secret: await this.#secrets.createForEndpoint(tx, endpoint, source) };
    });
  }

  /** Returns an endpoint of these applications. @throws PlatformError `ENDPOINT_NOT_FOUND` */
  async get(id: string, within: Applications): Promise<Endpoint> {
    const key = parseEndpointId(id);
    const [row] = await ormOf(this.#db).select().from(table).where(isVisible(key, within));
    if (!row) throw endpointNotFound(id);
    return toEndpoint(row);
  }

  /**
   * Lists endpoints, newest first. Indexes: the primary key for a caller for all applications;
   * `endpoint_application` for others, which reads endpoints of their applications only.
   * @throws PlatformError `REQUEST_INVALID`
   */
  async list(filter: EndpointFilter, page: PageRequest = {}): Promise<Page<Endpoint>> {
    const limit = pageLimit(page);
    const faults: FieldFault[] = [];
    checkName('application', filter.application, faults);
    if (faults.length > 0) throw requestInvalid(faults);
    const before = page.cursor === undefined ? undefined : parseIdCursor(page.cursor);
    const { state } = filter;
    const applications = listedApplications(filter);
    const rows = await ormOf(this.#db)
      .select()
      .from(table)
      .where(
        applications
          ? sql`${table.id} in (${newestOf(applications, { before, state, limit: limit + 1 })})`
          : and(
              before === undefined ? undefined : lt(table.id, before),
              state === undefined ? undefined : eq(table.state, state),
            ),
      )
      .orderBy(sql`${table.id} desc`)
      .limit(limit + 1);
    return toPage(rows, { limit, toItem: toEndpoint, cursorAfter: ({ id }) => toIdCursor(id) });
  }

  /**
   * Changes an endpoint. New headers and limits apply to all further attempts (workers notice
   * within seconds). A new URL, policy, order, time-out or event format applies to further events
   * only: callbacks that exist keep theirs. Without `ifMatch` the last of several changes wins.
   * @throws PlatformError `REQUEST_INVALID`, `ENDPOINT_NOT_FOUND`, `ENDPOINT_EXISTS`,
   *   `POLICY_NOT_FOUND`, `PRECONDITION_FAILED`
   */
  async update(id: string, patch: EndpointPatch, condition: ChangeCondition): Promise<Endpoint> {
    const key = parseEndpointId(id);
    return this.#db.transaction(async (tx) => {
      const visible = isVisible(key, condition.within);
      const [before] = await ormOf(tx).select().from(table).where(visible).for('update');
      if (!before) throw endpointNotFound(id);
      checkVersion(condition, `endpoint ${key}`, toEndpoint(before).version);
      const fields = patchEndpointFields(toFields(before), patch, this.#rules);
      const [row] = await ormOf(tx)
        .update(table)
        .set({
          ...toColumns(fields),
          ...(patch.policy !== undefined && (await this.#newPolicy(tx, fields, before))),
          updatedAt: sql`now()`,
        })
        .where(eq(table.id, key))
        .returning()
        .catch((error: unknown) => rethrowWriteError(error, fields));
      const endpoint = toStored(row);
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
  async remove(id: string, within: Applications): Promise<void> {
    const key = parseEndpointId(id);
    await this.#db.transaction(async (tx) => {
      const [row] = await ormOf(tx).delete(table).where(isVisible(key, within)).returning(columns);
      if (!row) throw endpointNotFound(id);
      await this.#secrets.removeForEndpoint(tx, row);
    });
    await afterCommit(this.#db, () => releaseHeadsOfEndpoint(this.#db, key));
  }

  /** Returns the columns of a new policy; none if the endpoint has this one of its application. */
  async #newPolicy(
    tx: Transaction,
    fields: EndpointFields,
    before: EndpointRow,
  ): Promise<PolicyColumns | undefined> {
    const columns = await toPolicyColumns(tx, fields);
    const isSame = columns.ownPolicyName !== null && columns.ownPolicyName === before.ownPolicyName;
    // A new copy under the same name would look to the trigger `forget_own_policy` like an older
    // gateway that sets another policy.
    return isSame ? undefined : columns;
  }
}

function isVisible(id: string, within: Applications) {
  return and(
    eq(table.id, id),
    within === 'all' ? undefined : inArray(table.application, [...within]),
  );
}

interface NewestRequest {
  readonly before: string | undefined;
  readonly state: EndpointState | undefined;
  readonly limit: number;
}

/** Returns SQL for the ids of the newest endpoints of these applications. */
function newestOf(applications: readonly string[], { before, state, limit }: NewestRequest) {
  return sql`
    select n.id from unnest(${sql.param(applications)}::text[]) a(application)
    cross join lateral (
      select e.id from callbacks.endpoint e
      where e.application = a.application and e.id < ${before ?? highestId}::uuid
        and (${state ?? null}::text is null or e.state = ${state ?? null})
      order by e.id desc limit ${limit}
    ) n
    order by n.id desc limit ${limit}`;
}

function toStored(row: EndpointRow | undefined): Endpoint {
  if (row) return toEndpoint(row);
  throw new PlatformError('INTERNAL', 'the database returned no row for the endpoint');
}
