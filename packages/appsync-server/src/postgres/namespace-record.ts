import type { NamespaceSettings } from '../namespaces/namespace-settings.js';

/** Identifies a namespace. */
export interface NamespaceKey {
  /** Application that it belongs to; absent: it is shared by all. */
  readonly application: string | undefined;
  readonly name: string;
}

/** Namespace as it is stored. */
export interface NamespaceRecord extends NamespaceKey {
  readonly settings: NamespaceSettings;
  /** Changes with each change: for `If-Match`. */
  readonly version: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Row of a namespace. */
export interface NamespaceRow {
  readonly application: string | null;
  readonly name: string;
  readonly settings: NamespaceSettings;
  readonly revision: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Columns of {@link NamespaceRow}, of the table `n`. */
export const namespaceColumns =
  'n.application, n.name, n.settings, n.revision, n.created_at, n.updated_at';

export function toNamespaceRecord(row: NamespaceRow): NamespaceRecord {
  return {
    application: row.application ?? undefined,
    name: row.name,
    settings: row.settings,
    version: String(row.revision),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
