export type { App, Routes } from './app.js';
export {
  type CallbackRoutes,
  type CallbackRoutesConfig,
  type CallbackRoutesDeps,
  createCallbackRoutes,
} from './callback-routes.js';
export { type GatewayConfig, gatewayFaults, toGatewayConfig } from './config.js';
export { type EventOutbox, type EventOutboxDeps, startEventOutbox } from './event-outbox.js';
export {
  createEventRoutes,
  type EventRoutes,
  type EventRoutesConfig,
  type EventRoutesDeps,
} from './event-routes.js';
export { type Gateway, type GatewayDeps, startGateway } from './gateway.js';
export { gatewayService } from './gateway-service.js';
export { type TraceContext, toTraceparent } from './http/trace-context.js';
export type { ApiKey } from './keys/api-key-store.js';
export {
  ApiKeys,
  type ApiKeysOptions,
  type AuthenticatedKey,
  type CreatedKey,
  type KeyRequest,
} from './keys/api-keys.js';
export { type RouteScope, type Scope, scopes } from './keys/scopes.js';
export { gatewayMigrations } from './migrations.js';
export { renderOpenApiDocument } from './openapi/openapi-document.js';
export { migrationsCheck } from './readiness.js';
