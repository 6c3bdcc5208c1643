export type { App, Routes } from './app.js';
export { type CallbackRoutesConfig, createCallbackRoutes } from './callback-routes.js';
export { type GatewayConfig, gatewayFaults, toGatewayConfig } from './config.js';
export { startEventOutbox } from './event-outbox.js';
export { createEventRoutes, type EventRoutesConfig } from './event-routes.js';
export { type Gateway, startGateway } from './gateway.js';
export { gatewayService } from './gateway-service.js';
export { renderOpenApiDocument } from './openapi/openapi-document.js';
