import type { Queryable, Statement } from '@posthaste/postgres';
import type { Namespace, NamespaceDirectory } from '../namespaces/namespace.js';
import type { NamespaceSettings } from '../namespaces/namespace-settings.js';
import { type NamespaceRow, namespaceColumns } from './namespace-record.js';

/** Namespace of the database, as a server uses it. */
export interface StoredNamespace extends Namespace, NamespaceSettings {}

/** Options of {@link NamespaceCache}. */
export interface NamespaceCacheOptions {
  /** Interval in which the database is asked for changes, in ms. Default 400. */
  readonly refreshMs?: number | undefined;
  /** Called after namespaces have changed, with the first read too. */
  readonly onChange?: (() => void) | undefined;
  /** Called when namespaces could not be read. Those that were read before stay. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

type Row = { readonly at: bigint } & (NamespaceRow | { readonly name: null });

/** Reads all namespaces, or only the number of changes if that is the known one. */
const readStatement: Statement = {
  name: 'realtime_namespaces_read',
  text: `select m.revision as at, ${namespaceColumns} from realtime.meta m
    left join realtime.namespace n on m.revision <> $1::bigint`,
};

/**
 * Namespaces of the database as one process knows them: less than a second old, in memory, and so
 * without a statement per request. They are read again only after a change.
 */
export class NamespaceCache implements NamespaceDirectory {
  readonly #db: Queryable;
  readonly #refreshMs: number;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  #shared: ReadonlyMap<string, StoredNamespace> = new Map([['default', { name: 'default' }]]);
  #own: ReadonlyMap<string, ReadonlyMap<string, StoredNamespace>> = new Map();
  /** Namespaces by their last change: one that has not changed stays the same object. */
  #byRevision = new Map<bigint, StoredNamespace>();
  #revision = 0n;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;
  #isClosed = false;

  constructor(db: Queryable, options: NamespaceCacheOptions = {}) {
    const { refreshMs = 400, onChange = () => undefined, onError = () => undefined } = options;
    this.#db = db;
    this.#refreshMs = refreshMs;
    this.#onChange = onChange;
    this.#onError = onError;
  }

  find(realm: string, name: string): StoredNamespace | undefined {
    return this.findOwn(realm, name) ?? this.findShared(name);
  }

  /** Returns the namespace that belongs to the realm itself. */
  findOwn(realm: string, name: string): StoredNamespace | undefined {
    return this.#own.get(realm)?.get(name);
  }

  /** Returns the namespace that all realms share. */
  findShared(name: string): StoredNamespace | undefined {
    return this.#shared.get(name);
  }

  /** Starts to read. Resolves after the first read, also if that failed. Does not reject. */
  async start(): Promise<void> {
    if (this.#isStarted) return this.#reading;
    this.#isStarted = true;
    await this.#readAndSchedule();
  }

  /** Reads at once, for example after a change by this process. Rejects if that fails. */
  async refresh(): Promise<void> {
    // A read that runs may have begun before the change.
    await this.#reading?.catch(() => undefined);
    await this.#readOnce();
  }

  /** Stops, after the read in hand. Idempotent. The database stays open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#reading?.catch(() => undefined);
  }

  async #readAndSchedule(): Promise<void> {
    await this.#readOnce().catch(this.#onError);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#readAndSchedule(), this.#refreshMs).unref();
  }

  #readOnce(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { rows } = await this.#db.query<Row>(readStatement, [this.#revision]);
    const at = BigInt(rows[0]?.at ?? this.#revision);
    if (at === this.#revision) return;
    const shared = new Map<string, StoredNamespace>();
    const own = new Map<string, Map<string, StoredNamespace>>();
    const byRevision = new Map<bigint, StoredNamespace>();
    for (const row of rows) {
      if (row.name === null) continue;
      const revision = BigInt(row.revision);
      const namespace = this.#byRevision.get(revision) ?? { ...row.settings, name: row.name };
      byRevision.set(revision, namespace);
      if (row.application === null) shared.set(row.name, namespace);
      else {
        const names = own.get(row.application) ?? new Map<string, StoredNamespace>();
        own.set(row.application, names.set(row.name, namespace));
      }
    }
    this.#shared = shared;
    this.#own = own;
    this.#byRevision = byRevision;
    this.#revision = at;
    this.#onChange();
  }
}
