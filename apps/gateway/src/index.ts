export type { ApiKey } from './api-key-store.js';
export {
  ApiKeys,
  type ApiKeysOptions,
  type AuthenticatedKey,
  type CreatedKey,
  type KeyRequest,
} from './api-keys.js';
export type { App, Routes } from './app.js';
export {
  type CallbackRoutes,
  type CallbackRoutesConfig,
  type CallbackRoutesDeps,
  createCallbackRoutes,
} from './callback-routes.js';
export { type GatewayConfig, gatewayFaults, toGatewayConfig } from './config.js';
export {
  createEventRoutes,
  type EventRoutes,
  type EventRoutesConfig,
  type EventRoutesDeps,
} from './event-routes.js';
export { type Gateway, type GatewayDeps, startGateway } from './gateway.js';
export { gatewayService } from './gateway-service.js';
export { gatewayMigrations } from './migrations.js';
export { renderOpenApiDocument } from './openapi-document.js';
export { migrationsCheck } from './readiness.js';
export { type RouteScope, type Scope, scopes } from './scopes.js';
export { startTelling, type Telling, type TellingDeps } from './telling.js';
export { type TraceContext, toTraceparent } from './trace-context.js';
