import type { PlatformError } from '@posthaste/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';

/** Something done to each request before its route is asked. An error ends the request. */
export type RequestStep = (
  request: FastifyRequest,
  reply: FastifyReply,
) => PlatformError | undefined;

/**
 * Runs these steps on every request, in one hook: a hook each would cost more than what they do.
 */
export function addRequestSteps(app: App, steps: readonly RequestStep[]): void {
  app.addHook('onRequest', (request, reply, done) => {
    for (const step of steps) {
      const refused = step(request, reply);
      if (refused) return done(refused);
    }
    done();
  });
}
