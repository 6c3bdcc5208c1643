import type { Registry } from 'prom-client';
import type { App } from '../app.js';

/** Everything that is measured, in Prometheus' text format. */
export function metricsRoutes(app: App, registry: Registry): void {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics:read', answersUnderLoad: true },
      schema: { tags: ['Health'], summary: 'Prometheus metrics', produces: ['text/plain'] },
    },
    async (_request, reply) => {
      reply.header('content-type', registry.contentType);
      return registry.metrics();
    },
  );
}
