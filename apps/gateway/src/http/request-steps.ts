import type { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';

/** Step that every request passes before its route. A returned error ends the request. */
export type RequestStep = (
  request: FastifyRequest,
  reply: FastifyReply,
) => PlatformError | undefined;

/** Runs the steps on every request, in one hook: a hook for each would cost more than the steps. */
export function addRequestSteps(app: App, steps: readonly RequestStep[]): void {
  app.addHook('onRequest', (request, reply, done) => {
    for (const step of steps) {
      const refused = step(request, reply);
      if (refused) return done(refused);
    }
    done();
  });
}
