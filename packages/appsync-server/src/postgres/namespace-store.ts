import { type Applications, includesApplication, PlatformError } from '@posthaste/contracts';
import type { Database, Queryable, Transaction } from '@posthaste/postgres';
import {
  type NamespaceSettings,
  namespaceNameFault,
  parseNamespaceSettings,
  throwFaults,
} from '../namespaces/namespace-settings.js';
import {
  type NamespaceKey,
  type NamespaceRecord,
  type NamespaceRow,
  namespaceColumns,
  toNamespaceRecord,
} from './namespace-record.js';

/** Scope and condition of a change. */
export interface NamespaceChange {
  /** Applications whose namespaces the caller may change; only `all` may change shared ones. */
  readonly within: Applications;
  /** Versions, one of which it must have: somebody else may have changed it. Default: any. */
  readonly ifMatch?: readonly string[] | undefined;
}

/** Part of a list of namespaces. */
export interface NamespacePageRequest {
  /** Applications whose namespaces are listed beside the shared ones. */
  readonly within: Applications;
  /** Items at most, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** `next` of the page before; absent: the first page. */
  readonly cursor?: string | undefined;
}

/** Page of namespaces. */
export interface NamespacePage {
  readonly items: readonly NamespaceRecord[];
  /** Cursor of the next page; undefined on the last one. Opaque. */
  readonly next: string | undefined;
}

/** Most namespaces of one application, and most shared ones. */
const maxNamespaces = 50;
const defaultName = 'default';

/**
 * Namespaces in the database: those of one application, which nobody else sees, and shared ones. A
 * name means the namespace that the application has of this name, else the shared one. The shared
 * `default` exists always.
 */
export class NamespaceStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Creates a namespace.
   * @throws PlatformError `REQUEST_INVALID`, `NAMESPACE_EXISTS`, `NAMESPACE_LIMIT_REACHED`,
   *   `APPLICATION_FORBIDDEN`, `APPLICATION_SCOPE_MISSING`
   */
  async create(
    key: NamespaceKey,
    settings: NamespaceSettings,
    within: Applications,
  ): Promise<NamespaceRecord> {
    const fault = namespaceNameFault(key.name);
    throwFaults(fault === undefined ? [] : [{ field: 'name', message: fault }]);
    const checked = parseNamespaceSettings(settings);
    requireScope(key, within);
    return this.#db.transaction(async (tx) => {
      const revision = await nextRevision(tx);
      // The row of `meta` is locked: nobody else creates one between the checks and the insert.
      if (await findOwn(tx, key)) {
        const message = `the namespace '${key.name}' exists already; change it, or choose another name`;
        throw new PlatformError('NAMESPACE_EXISTS', message);
      }
      await checkLimit(tx, key);
      const { rows } = await tx.query<NamespaceRow>(
        `insert into realtime.namespace as n (application, name, settings, revision)
          values ($1, $2, $3, $4) returning ${namespaceColumns}`,
        [key.application ?? null, key.name, JSON.stringify(checked), revision],
      );
      return toNamespaceRecord(first(rows));
    });
  }

  /**
   * Returns the namespace that a name means in an application; without one, the shared one.
   * @throws PlatformError `NAMESPACE_NOT_FOUND`
   */
  async get(key: NamespaceKey): Promise<NamespaceRecord> {
    const own = await findOwn(this.#db, key);
    const found = own ?? (await findOwn(this.#db, { application: undefined, name: key.name }));
    if (found === undefined) throw notFound(key);
    return toNamespaceRecord(found);
  }

  /**
   * Lists the namespaces of applications and the shared ones, by name; of one name the shared one
   * first. Indexes: `namespace_name`.
   * @throws PlatformError `REQUEST_INVALID`
   */
  async list({ within, limit = 50, cursor }: NamespacePageRequest): Promise<NamespacePage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 500) {
      throw new PlatformError('REQUEST_INVALID', `limit is ${limit}; it must be from 1 to 500`);
    }
    const [name, place] = cursor === undefined ? ['', ''] : parseCursor(cursor);
    const { rows } = await this.#db.query<NamespaceRow>(
      `select ${namespaceColumns} from realtime.namespace n
        where n.name >= $1 and (n.name, coalesce('=' || n.application, '')) > ($1, $2)
          and (n.application is null or $3::text[] is null or n.application = any($3))
        order by n.name, coalesce('=' || n.application, '') limit $4`,
      [name, place, within === 'all' ? null : within, limit + 1],
    );
    const items = rows.slice(0, limit).map(toNamespaceRecord);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return { items, next: last && toCursor(last) };
  }

  /**
   * Replaces the settings of a namespace of exactly this key.
   * @throws PlatformError `NAMESPACE_NOT_FOUND`, `PRECONDITION_FAILED`, `REQUEST_INVALID`,
   *   `APPLICATION_SCOPE_MISSING`
   */
  async update(
    key: NamespaceKey,
    settings: NamespaceSettings,
    change: NamespaceChange,
  ): Promise<NamespaceRecord> {
    const checked = parseNamespaceSettings(settings);
    return this.#change(key, change, async (tx, revision) => {
      const { rows } = await tx.query<NamespaceRow>(
        `update realtime.namespace n set settings = $3, revision = $4, updated_at = now()
          where n.application is not distinct from $1 and n.name = $2
          returning ${namespaceColumns}`,
        [key.application ?? null, key.name, JSON.stringify(checked), revision],
      );
      return toNamespaceRecord(first(rows));
    });
  }

  /**
   * Removes a namespace of exactly this key. Returns it as it was.
   * @throws PlatformError `NAMESPACE_NOT_FOUND`, `PRECONDITION_FAILED`, `APPLICATION_SCOPE_MISSING`;
   *   `REQUEST_INVALID` for the shared `default`
   */
  async remove(key: NamespaceKey, change: NamespaceChange): Promise<NamespaceRecord> {
    if (key.application === undefined && key.name === defaultName) {
      const message = 'the shared namespace default cannot be removed; change its settings';
      throw new PlatformError('REQUEST_INVALID', message);
    }
    return this.#change(key, change, async (tx, _revision, before) => {
      await tx.query(
        `delete from realtime.namespace n
          where n.application is not distinct from $1 and n.name = $2`,
        [key.application ?? null, key.name],
      );
      return before;
    });
  }

  #change(
    key: NamespaceKey,
    { within, ifMatch }: NamespaceChange,
    apply: (tx: Transaction, revision: bigint, before: NamespaceRecord) => Promise<NamespaceRecord>,
  ): Promise<NamespaceRecord> {
    // A namespace of an application that the caller may not use does not exist for it.
    if (key.application !== undefined && !includesApplication(within, key.application)) {
      return Promise.reject(notFound(key));
    }
    return this.#db.transaction(async (tx) => {
      requireScope(key, within);
      const revision = await nextRevision(tx);
      const row = await findOwn(tx, key);
      if (row === undefined) throw notFound(key);
      const before = toNamespaceRecord(row);
      if (ifMatch !== undefined && !ifMatch.includes(before.version)) {
        const message = `the namespace '${key.name}' was changed since it was read; get it again, and repeat the change with its ETag`;
        const details = { version: before.version };
        throw new PlatformError('PRECONDITION_FAILED', message, { details });
      }
      return apply(tx, revision, before);
    });
  }
}

/** Counts a change of namespaces, and makes further changes wait for the transaction. */
async function nextRevision(tx: Queryable): Promise<bigint> {
  const { rows } = await tx.query<{ revision: bigint }>(
    'update realtime.meta set revision = revision + 1 returning revision',
  );
  return BigInt(first(rows).revision);
}

async function findOwn(db: Queryable, key: NamespaceKey): Promise<NamespaceRow | undefined> {
  const { rows } = await db.query<NamespaceRow>(
    `select ${namespaceColumns} from realtime.namespace n where n.name = $2
      and ($1::text is null and n.application is null or n.application = $1)`,
    [key.application ?? null, key.name],
  );
  return rows[0];
}

async function checkLimit(tx: Queryable, { application }: NamespaceKey): Promise<void> {
  const { rows } = await tx.query<{ count: number }>(
    `select count(*)::integer as count from realtime.namespace n
      where $1::text is null and n.application is null or n.application = $1`,
    [application ?? null],
  );
  if (first(rows).count < maxNamespaces) return;
  const message = `there are ${maxNamespaces} namespaces already; remove one that is not used`;
  throw new PlatformError('NAMESPACE_LIMIT_REACHED', message);
}

function requireScope({ application }: NamespaceKey, within: Applications): void {
  if (application === undefined) {
    if (within === 'all') return;
    const message =
      'only callers for all applications change shared namespaces; name an application';
    throw new PlatformError('APPLICATION_SCOPE_MISSING', message);
  }
  if (includesApplication(within, application)) return;
  throw new PlatformError('APPLICATION_FORBIDDEN', `the caller may not use '${application}'`);
}

function notFound({ application, name }: NamespaceKey): PlatformError {
  const owner = application === undefined ? '' : ` in application '${application}'`;
  return new PlatformError(
    'NAMESPACE_NOT_FOUND',
    `there is no namespace '${name}'${owner}; create it, or check the name`,
  );
}

function toCursor({ name, application }: NamespaceKey): string {
  const place = application === undefined ? '' : `=${application}`;
  return Buffer.from(JSON.stringify([name, place])).toString('base64url');
}

function parseCursor(cursor: string): [string, string] {
  try {
    const pair: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isPair =
      Array.isArray(pair) &&
      pair.length === 2 &&
      pair.every((text) => typeof text === 'string' && !text.includes('\0'));
    if (isPair) return pair as [string, string];
  } catch {
    // Not JSON: reported like any other text that is not a cursor.
  }
  throw new PlatformError('REQUEST_INVALID', 'the cursor is not one of this list; leave it out');
}

function first<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row !== undefined) return row;
  throw new PlatformError('INTERNAL', 'a statement about namespaces returned no row');
}
