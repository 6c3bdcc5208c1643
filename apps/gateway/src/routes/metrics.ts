import type { Registry } from 'prom-client';
import type { App } from '../app.js';

/** Adds `/metrics`: all metrics of the process, in Prometheus' text format. */
export function metricsRoutes(app: App, registry: Registry): void {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics:read', answersUnderLoad: true },
      schema: {
        tags: ['Health'],
        summary: 'Get the metrics in Prometheus format',
        produces: ['text/plain'],
      },
    },
    async (_request, reply) => {
      reply.header('content-type', registry.contentType);
      return registry.metrics();
    },
  );
}
