import type {
  NamespaceKey,
  NamespaceRecord,
  NamespaceStore,
} from '@posthaste/appsync-server/postgres';
import { type Applications, includesApplication, PlatformError } from '@posthaste/contracts';
import {
  type ConfiguredNamespace,
  type NamespaceView,
  toConfiguredView,
  toNamespaceView,
} from './namespace-view.js';

/** Namespace as it is shown, with its version if it can be changed. */
export interface ShownNamespace {
  readonly view: NamespaceView;
  readonly version: string | undefined;
}

/** Page of namespaces of some applications. */
export interface ShownPageRequest {
  readonly within: Applications;
  readonly limit: number;
  readonly cursor: string | undefined;
}

/** Beginning of cursors in the list of the file. Cursors of the database begin otherwise. */
const fileCursor = 'file.';

/**
 * Namespaces of the file and of the database, as realtime channels find them: of one name, that of
 * the application goes before the shared one, and that of the file before that of the database.
 */
export class KnownNamespaces {
  readonly #store: Pick<NamespaceStore, 'get' | 'list'>;
  readonly #configured: readonly ConfiguredNamespace[];

  constructor(
    store: Pick<NamespaceStore, 'get' | 'list'>,
    configured: readonly ConfiguredNamespace[],
  ) {
    this.#store = store;
    this.#configured = configured.toSorted((a, b) => (toText(a) < toText(b) ? -1 : 1));
  }

  /** Returns the namespace that a name means. @throws PlatformError `NAMESPACE_NOT_FOUND` */
  async get(key: NamespaceKey): Promise<ShownNamespace> {
    const own = this.#findConfigured(key);
    if (own) return ofFile(own);
    const shared = this.#findConfigured({ application: undefined, name: key.name });
    if (!shared) return ofDatabase(await this.#store.get(key));
    const found = await this.#store.get(key).catch(orNone);
    return found?.application === undefined ? ofFile(shared) : ofDatabase(found);
  }

  /** Lists those of the file, then those of the database that none of the file hides. */
  async list({ within, limit, cursor }: ShownPageRequest): Promise<{
    items: NamespaceView[];
    next: string | null;
  }> {
    const all = this.#configured.filter(
      ({ application }) => application === undefined || includesApplication(within, application),
    );
    const start = toStart(cursor, all.length);
    const items = all.slice(start, start + limit).map(toConfiguredView);
    const end = start + items.length;
    if (items.length === limit) return { items, next: `${fileCursor}${end}` };
    const page = await this.#store.list({
      within,
      limit: limit - items.length,
      cursor: cursor?.startsWith(fileCursor) ? undefined : cursor,
    });
    const others = page.items.filter((record) => !this.#findConfigured(record));
    return { items: [...items, ...others.map(toNamespaceView)], next: page.next ?? null };
  }

  /** Refuses to change a namespace of the file. @throws PlatformError `NAMESPACE_CONFIGURED` */
  requireChangeable(key: NamespaceKey): void {
    if (!this.#findConfigured(key)) return;
    const message = `the namespace '${key.name}' is defined in the file of POSTHASTE_REALTIME_CONFIG; change it there`;
    throw new PlatformError('NAMESPACE_CONFIGURED', message);
  }

  #findConfigured({ application, name }: NamespaceKey): ConfiguredNamespace | undefined {
    return this.#configured.find((each) => each.name === name && each.application === application);
  }
}

function ofFile(configured: ConfiguredNamespace): ShownNamespace {
  return { view: toConfiguredView(configured), version: undefined };
}

function ofDatabase(record: NamespaceRecord): ShownNamespace {
  return { view: toNamespaceView(record), version: record.version };
}

/** Returns the index in the file at which a page begins: its end for cursors of the database. */
function toStart(cursor: string | undefined, end: number): number {
  if (cursor === undefined) return 0;
  const index = /^file\.(\d{1,6})$/.exec(cursor)?.[1];
  return index === undefined ? end : Math.min(Number(index), end);
}

function toText({ application, name }: ConfiguredNamespace): string {
  return `${name}\n${application === undefined ? '' : `=${application}`}`;
}

function orNone(error: unknown): undefined {
  if (error instanceof PlatformError && error.code === 'NAMESPACE_NOT_FOUND') return undefined;
  throw error;
}
