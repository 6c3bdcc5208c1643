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
      code: Type.Optional(Type.String({ description: 'Why it is not, as an error code.' })),
    }),
  ),
});

/** What an orchestrator asks: is the process alive, and may it get requests. */
export function healthRoutes(app: App, readiness: () => Promise<ReadinessReport>): void {
  const config = {
    scope: 'public',
    rateLimit: false,
    answersUnderLoad: true,
  } as const;

  app.get(
    '/health/live',
    {
      config,
      schema: { tags: ['Health'], summary: 'Is the process alive?', response: { 200: Live } },
    },
    () => liveReport,
  );

  app.get(
    '/health/ready',
    {
      config,
      schema: {
        tags: ['Health'],
        summary: 'Can requests be served? Names what is not ready.',
        response: { 200: Ready, 503: Ready },
      },
    },
    async (_request, reply) => {
      const { status, checks } = await readiness();
      return reply.code(status === 'ready' ? 200 : 503).send({ status, checks: [...checks] });
    },
  );
}
