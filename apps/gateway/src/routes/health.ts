import { liveReport, type ReadinessReport } from '@posthaste/service';
import { Type } from 'typebox';
import type { App } from '../app.js';

const Live = Type.Object({ status: Type.Literal('live') });

const Ready = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  checks: Type.Array(
    Type.Object({
      name: Type.String(),
      ready: Type.Boolean(),
      code: Type.Optional(Type.String({ description: 'Error code, if it is not ready.' })),
    }),
  ),
});

/** Adds the routes for orchestrators: is the process alive, and can it serve requests? */
export function healthRoutes(app: App, readiness: () => Promise<ReadinessReport>): void {
  const config = {
    scope: 'public',
    application: 'none',
    rateLimit: false,
    answersUnderLoad: true,
  } as const;

  app.get(
    '/health/live',
    {
      config,
      schema: {
        tags: ['Health'],
        operationId: 'getLiveness',
        summary: 'Tell whether the process is alive',
        response: { 200: Live },
      },
    },
    () => liveReport,
  );

  app.get(
    '/health/ready',
    {
      config,
      schema: {
        tags: ['Health'],
        operationId: 'getReadiness',
        summary: 'Tell whether requests can be served, and what is not ready',
        response: { 200: Ready, 503: Ready },
      },
    },
    async (_request, reply) => {
      const { status, checks } = await readiness();
      return reply.code(status === 'ready' ? 200 : 503).send({ status, checks: [...checks] });
    },
  );
}
