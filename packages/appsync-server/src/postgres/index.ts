export { readEpoch, removeRealtime } from './application-data.js';
export { realtimeMigrations } from './migrations.js';
export {
  NamespaceCache,
  type NamespaceCacheOptions,
  type StoredNamespace,
} from './namespace-cache.js';
export type { NamespaceKey, NamespaceRecord } from './namespace-record.js';
export {
  type NamespaceChange,
  type NamespacePage,
  type NamespacePageRequest,
  NamespaceStore,
} from './namespace-store.js';
export {
  joinMembers,
  leaveMembers,
  listMembers,
  type Member,
  type MemberKey,
  removeDeadNodes,
  removeNode,
  renewNode,
} from './presence-store.js';
