export type {
  Application,
  ApplicationChange,
  ApplicationLimits,
  ApplicationState,
  LimitName,
} from './applications/application.js';
export { ApplicationRegistry } from './applications/application-registry.js';
export { listRetentions } from './applications/application-retentions.js';
export type { ApplicationPage } from './applications/application-store.js';
export { KnownApplications } from './applications/known-applications.js';
export { LimitDirectory, type LimitDirectoryOptions } from './applications/limit-directory.js';
export { hasOwnLimits } from './applications/limit-store.js';
export { NameDiscovery, type NameSource } from './applications/name-discovery.js';
export {
  createRecordedRegistration,
  /** @public */ type RegisterNames,
  /** @public */ type Registrant,
  registerRecorded,
} from './applications/recorded-registration.js';
export {
  type ApplicationUsage,
  claimMeasurement,
  readUsage,
  storeUsage,
  type UsageName,
} from './applications/usage-store.js';
export {
  /** @public */ type AuditPage,
  /** @public */ type AuditQuery,
  listAuditEntries,
} from './audit/audit-log.js';
export {
  /** @public */ type AuditRetention,
  deleteOldEntries,
  lockTarget,
} from './audit/audit-store.js';
export {
  type Actor,
  type AuditEntry,
  /** @public */ type Change,
  /** @public */ type ChangedTarget,
  /** @public */ type ChangeOrigin,
  platformActor,
  /** @public */ type TargetState,
} from './audit/change.js';
export {
  /** @public */ type AuditEvent,
  type AuditEventSink,
  auditEventTopic,
  createChangeRecorder,
  type RecordChange,
  toAuditJson,
} from './audit/record-change.js';
export {
  type Authenticator,
  type Authenticators,
  type SessionAuthenticator,
  tokenPrefix,
} from './authenticator.js';
export {
  anonymousCaller,
  type Caller,
  callerFor,
  canUse,
  localCaller,
  mayBeShown,
} from './caller.js';
export { coversChannels, mayUseChannel } from './channels.js';
export {
  /** @public */ CredentialCache,
  type CredentialCacheOptions,
  type CredentialSource,
  type FoundCredential,
} from './credential-cache.js';
export {
  type RemovalRequest,
  registryStage,
  settleStage,
  startRemoval,
} from './erasures/application-removal.js';
export type { Erasure, ErasureKind, ErasureTarget } from './erasures/erasure.js';
export {
  ErasureRunner,
  type ErasureRunnerOptions,
  type ErasureStage,
  type ErasureStages,
  type RunningErasure,
} from './erasures/erasure-runner.js';
export {
  findRemovals,
  getErasure,
  insertErasure,
  listErasures,
  type NewErasure,
} from './erasures/erasure-store.js';
export { type ApiKey, type KeyPage, toKeyState } from './keys/api-key-store.js';
export { ApiKeys, type CreatedKey, type KeyRequest } from './keys/api-keys.js';
export { toDelegatedKey } from './keys/key-delegation.js';
export { accessMigrations } from './migrations.js';
export { IdentityProvider, type IdentityProviderOptions } from './people/identity-provider.js';
export type { ProviderHttp } from './people/provider-http.js';
export { parseRoleRule, type RoleRule } from './people/role-mapping.js';
export type { Session } from './people/session.js';
export { type CreatedSession, Sessions } from './people/sessions.js';
export { type FinishedSignIn, SignIn, signInSeconds } from './people/sign-in.js';
export type { Rights } from './rights.js';
export { type Grant, type Role, roles } from './roles.js';
export { grants, pageScopes, type RouteScope, type Scope, scopes } from './scopes.js';
export { maxTokenSeconds, ShortLivedTokens } from './tokens/short-lived-tokens.js';
export type { TokenRequest } from './tokens/token-rights.js';
