import type { Registry } from 'prom-client';
import { Type } from 'typebox';
import type { App } from '../app.js';

/** Adds `/metrics`: all metrics of the process, in Prometheus' text format. */
export function metricsRoutes(app: App, registry: Registry): void {
  app.get(
    '/metrics',
    {
      config: { scope: 'metrics:read', application: 'all', answersUnderLoad: true },
      schema: {
        tags: ['Health'],
        operationId: 'getMetrics',
        summary: 'Get the metrics in Prometheus format',
        response: { 200: { content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => {
      reply.header('content-type', registry.contentType);
      return registry.metrics();
    },
  );
}
