/** @public */
export { readEpoch, removeRealtime } from './application-data.js';
/** @public */
export {
  type ChannelPageRequest,
  type CountedChannel,
  listCountedChannels,
  removeChannelNode,
  removeDeadChannelNodes,
  renewChannelNode,
  reportChannels,
} from './channel-counts.js';
/** @public */
export { realtimeMigrations } from './migrations.js';
/** @public */
export {
  NamespaceCache,
  type NamespaceCacheOptions,
  type StoredNamespace,
} from './namespace-cache.js';
/** @public */
export type { NamespaceKey, NamespaceRecord } from './namespace-record.js';
/** @public */
export {
  type NamespaceChange,
  type NamespacePage,
  type NamespacePageRequest,
  NamespaceStore,
} from './namespace-store.js';
/** @public */
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
