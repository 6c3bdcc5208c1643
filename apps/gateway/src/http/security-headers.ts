import helmet from '@fastify/helmet';
import type { App } from '../app.js';
import type { RequestStep } from './request-steps.js';

/**
 * Headers of answers to programs: those of helmet that matter where no page is shown. Setting all
 * of helmet's headers would more than double the server's work per request.
 */
const apiHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

/** Sets the headers of all answers. Routes that show pages replace them by `addPageHeaders`. */
export const setApiHeaders: RequestStep = (_request, reply) => {
  reply.headers(apiHeaders);
  return undefined;
};

/** Sets helmet's headers on the answers of a scope that shows pages in a browser. */
export async function addPageHeaders(scope: App): Promise<void> {
  scope.addHook('onRequest', (_request, reply, done) => {
    for (const name of Object.keys(apiHeaders)) reply.removeHeader(name);
    done();
  });
  await scope.register(helmet, {
    // Not sent: it promises TLS, which a proxy in front of this server may or may not provide.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    contentSecurityPolicy: {
      // Without the defaults, whose `upgrade-insecure-requests` makes browsers load scripts by
      // HTTPS, where no server listens when this one is reached over plain HTTP.
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    },
  });
}
