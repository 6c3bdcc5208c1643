import cors from '@fastify/cors';
import type { App } from '../app.js';

const preflightMaxAgeSeconds = 600;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on a route for OPTIONS that also answers requests which are no preflight requests. */
    cors?: typeof answersOptions;
  }
}

/** Configuration of routes for OPTIONS: preflight requests get their headers, and reach the route. */
export const answersOptions = { strictPreflight: false, preflightContinue: true } as const;

/** Lets web pages of these origins call the API. Without any, only the server's own pages can. */
export async function addCors(app: App, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  app.addHook('onRoute', (route) => {
    // The route that the library adds for preflight requests, which browsers send without a key.
    if (route.method === 'OPTIONS' && route.url === '*')
      route.config = { scope: 'public', application: 'none' };
  });
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['retry-after', 'location', 'idempotent-replayed', 'etag'],
    maxAge: preflightMaxAgeSeconds,
  });
}
