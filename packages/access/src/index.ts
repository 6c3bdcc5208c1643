export {
  /** @public */ type AuditPage,
  /** @public */ type AuditQuery,
  /** @public */ listAuditEntries,
} from './audit/audit-log.js';
export {
  /** @public */ type AuditRetention,
  /** @public */ deleteOldEntries,
  /** @public */ lockTarget,
} from './audit/audit-store.js';
export {
  /** @public */ type Actor,
  /** @public */ type AuditEntry,
  /** @public */ type Change,
  /** @public */ type ChangedTarget,
  /** @public */ type ChangeOrigin,
  /** @public */ platformActor,
  /** @public */ type TargetState,
} from './audit/change.js';
export {
  /** @public */ type AuditEvent,
  /** @public */ type AuditEventSink,
  /** @public */ createChangeRecorder,
  /** @public */ type RecordChange,
  /** @public */ toAuditJson,
} from './audit/record-change.js';
export {
  type Authenticator,
  type Authenticators,
  sessionCookie,
  tokenPrefix,
} from './authenticator.js';
export { anonymousCaller, type Caller, localCaller } from './caller.js';
export {
  /** @public */ CredentialCache,
  type CredentialCacheOptions,
  type CredentialSource,
  type FoundCredential,
} from './credential-cache.js';
export type { ApiKey, KeyPage } from './keys/api-key-store.js';
export { ApiKeys, type CreatedKey, type KeyRequest } from './keys/api-keys.js';
export { accessMigrations } from './migrations.js';
export { grants, type RouteScope, type Scope, scopes } from './scopes.js';
