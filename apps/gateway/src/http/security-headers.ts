import helmet from '@fastify/helmet';
import type { App } from '../app.js';
import type { RequestStep } from './request-steps.js';

/**
 * For answers to programs. helmet would set its dozen on each of them, which more than doubles what
 * the server does for a request; these are the ones that mean something where no page is shown.
 */
const apiHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

/** Protects the answers of all routes; those that show pages add `addPageHeaders`. */
export const setApiHeaders: RequestStep = (_request, reply) => {
  reply.headers(apiHeaders);
  return undefined;
};

/** helmet's headers, for the routes of a scope that shows pages in a browser. */
export async function addPageHeaders(scope: App): Promise<void> {
  scope.addHook('onRequest', (_request, reply, done) => {
    for (const name of Object.keys(apiHeaders)) reply.removeHeader(name);
    done();
  });
  await scope.register(helmet, {
    // Both are promises about TLS, which ends in front of this server if there is any; over plain
    // HTTP the second one makes browsers ask for scripts where nobody listens.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    contentSecurityPolicy: {
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
