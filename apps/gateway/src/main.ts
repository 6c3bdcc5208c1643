import { requireNode } from '@posthaste/service/node-version';

requireNode(24);
// Only now: older versions of Node cannot load the rest.
const { runService } = await import('@posthaste/service');
const { gatewayService } = await import('./gateway-service.js');
await runService(gatewayService);
