import type { Namespace, NamespaceDirectory } from '@posthaste/appsync-server';
import type { StoredNamespace } from '@posthaste/appsync-server/postgres';
import type { FileNamespace } from './realtime-file.js';

/** Namespaces of the database. */
export interface StoredNamespaces {
  findOwn(realm: string, name: string): StoredNamespace | undefined;
  findShared(name: string): StoredNamespace | undefined;
}

/** Namespaces of a gateway: those of the file, of the database, and that of the platform. */
export class GatewayNamespaces implements NamespaceDirectory {
  readonly #stored: StoredNamespaces;
  readonly #mirror: Namespace;
  readonly #ofFile = new Map<string, StoredNamespace>();

  /** @param mirror namespace of the platform's own events, which no other replaces */
  constructor(stored: StoredNamespaces, file: readonly FileNamespace[], mirror: Namespace) {
    this.#stored = stored;
    this.#mirror = mirror;
    for (const { application, ...namespace } of file) {
      this.#ofFile.set(toKey(application, namespace.name), namespace);
    }
  }

  /** Of two with one name, that of the application goes first, and that of the file. */
  find(realm: string, name: string): StoredNamespace | undefined {
    if (name === this.#mirror.name) return this.#mirror;
    const stored = this.#stored;
    return (
      this.#ofFile.get(toKey(realm, name)) ??
      stored.findOwn(realm, name) ??
      this.#ofFile.get(toKey(undefined, name)) ??
      stored.findShared(name)
    );
  }
}

/** Returns the key of a namespace: of a shared one, its name alone. */
function toKey(application: string | undefined, name: string): string {
  return application === undefined ? name : `${application}\n${name}`;
}
