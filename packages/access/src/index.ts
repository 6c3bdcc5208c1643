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
