import cors from '@fastify/cors';
import type { App } from '../app.js';

const preflightMaxAgeSeconds = 600;

/** Lets pages of these origins call the API; with none, browsers keep to its own. */
export async function addCors(app: App, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  app.addHook('onRoute', (route) => {
    // The library's own route, which answers what a browser asks before the real request.
    if (route.method === 'OPTIONS' && route.url === '*') route.config = { scope: 'public' };
  });
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['retry-after', 'location', 'idempotent-replayed'],
    maxAge: preflightMaxAgeSeconds,
  });
}
