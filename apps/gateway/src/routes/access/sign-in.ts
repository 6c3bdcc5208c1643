import { type FinishedSignIn, type SignIn, signInSeconds } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import { Type } from 'typebox';
import type { SessionCookies } from '../../access/session-cookies.js';
import type { App } from '../../app.js';
import { noUnknownKeys } from '../schemas/field-schemas.js';

const tags = ['Sessions'];
const path = '/v1/sign-in';

const SignInQuery = Type.Object(
  {
    returnTo: Type.Optional(
      Type.String({
        maxLength: 2_000,
        description: 'Path on this server to show afterwards. Anything else becomes `/`.',
        examples: ['/applications/shop'],
      }),
    ),
  },
  noUnknownKeys,
);

/** Dependencies of the routes of sign-ins. */
export interface SignInRoutesDeps {
  /** Undefined without an identity provider: nobody can sign in. */
  readonly signIn: SignIn | undefined;
  readonly cookies: SessionCookies;
}

/** Adds `/v1/sign-in`: people sign in at the identity provider. */
export function signInRoutes(app: App, deps: SignInRoutesDeps): void {
  addBegin(app, deps);
  addCallback(app, deps);
}

function addBegin(app: App, { signIn, cookies }: SignInRoutesDeps): void {
  app.get(
    path,
    {
      config: {
        scope: 'public',
        application: 'none',
        errors: ['SIGN_IN_UNAVAILABLE', 'IDENTITY_PROVIDER_UNAVAILABLE'],
      },
      schema: {
        tags,
        operationId: 'signIn',
        summary: 'Sign in at the identity provider',
        description: 'For browsers: it sends them to the page of the identity provider.',
        querystring: SignInQuery,
        response: { 302: Type.Null({ description: 'Redirect to the identity provider.' }) },
      },
    },
    async ({ query: { returnTo = '/' } }, reply) => {
      const { url, cookie } = await required(signIn).begin(returnTo);
      reply.header('set-cookie', cookies.beginSignIn(cookie, signInSeconds));
      return reply.redirect(url, 302);
    },
  );
}

/** Request of a person whom the identity provider has identified. */
interface IdentifiedRequest {
  finished?: FinishedSignIn;
}

/**
 * The provider is asked in a hook before the handler: the handler runs in the transaction that
 * records the session, which must not wait for anybody.
 */
function addCallback(app: App, { signIn, cookies }: SignInRoutesDeps): void {
  app.get(
    `${path}/callback`,
    {
      exposeHeadRoute: false,
      config: {
        scope: 'public',
        application: 'none',
        audit: { action: 'session.created', target: 'session' },
        errors: [
          'SIGN_IN_UNAVAILABLE',
          'SIGN_IN_FAILED',
          'SIGN_IN_FORBIDDEN',
          'IDENTITY_PROVIDER_UNAVAILABLE',
        ],
      },
      schema: {
        tags,
        operationId: 'finishSignIn',
        summary: 'Return from the identity provider',
        description:
          'For browsers: the identity provider sends them here. Sets the cookie of the session.',
        response: { 200: Type.String({ description: 'Page that leads to `returnTo`.' }) },
      },
      preHandler: async (request, reply) => {
        const begun = cookies.readSignIn(request);
        // Whatever the result: an answer is tried once.
        reply.header('set-cookie', cookies.endSignIn());
        const { search } = new URL(request.raw.url ?? '', 'http://local.invalid');
        const finished = await required(signIn).finish(search, begun);
        (request as IdentifiedRequest).finished = finished;
      },
    },
    async (request, reply) => {
      const { finished } = request as IdentifiedRequest;
      if (finished === undefined) throw new Error('the hook has not run');
      const { session, token } = await required(signIn).createSession(finished);
      // From here on it is the person who sends the request: the audit log says so.
      const { id, name, expiresAt } = session;
      request.caller = { ...request.caller, kind: 'person', id, name, expiresAt };
      reply.header('set-cookie', cookies.begin(token, expiresAt));
      return reply.type('text/html; charset=utf-8').send(toPage(finished.returnTo));
    },
  );
}

/**
 * Renders a page that leads on. A redirect would not do: the browser counts it as part of the way
 * from the identity provider, and sends no `Strict` cookie to its end.
 */
function toPage(returnTo: string): string {
  const url = returnTo.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${url}"><title>Signed in</title><p>Signed in. <a href="${url}">Continue</a></p>`;
}

/** @throws PlatformError `SIGN_IN_UNAVAILABLE` */
function required(signIn: SignIn | undefined): SignIn {
  if (signIn !== undefined) return signIn;
  throw new PlatformError(
    'SIGN_IN_UNAVAILABLE',
    'no identity provider is configured; set POSTHASTE_OIDC_ISSUER',
  );
}
