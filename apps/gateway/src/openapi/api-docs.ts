import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { RouteScope } from '@posthaste/access';
import { type ErrorCode, errorCodes, PlatformError } from '@posthaste/contracts';
import type { FastifyContextConfig, FastifySchema } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../app.js';
import { addPageHeaders } from '../http/security-headers.js';
import { applicationDocs } from './application-docs.js';
import { nameSchemas } from './named-schemas.js';
import { markOptionalBodies } from './optional-bodies.js';

const Problem = Type.Object(
  {
    type: Type.String({ description: 'URI that names the kind of problem.' }),
    title: Type.String({ description: 'The meaning of the code, and what to do.' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What happened in this case.' }),
    code: Type.String({ description: 'Stable error code, for programs.' }),
    retryable: Type.Boolean({ description: 'True if the same call can succeed later, unchanged.' }),
    instance: Type.Optional(
      Type.String({ description: 'Id of the request, which the log names.' }),
    ),
    details: Type.Optional(
      Type.Unknown({ description: 'Facts for programs, such as the fields that are wrong.' }),
    ),
  },
  { $id: 'Problem', description: 'Error, as problem details (RFC 9457).' },
);

const problem = { 'application/problem+json': { schema: { $ref: 'Problem#' } } };
const anyError = { description: 'Any other error.', content: problem };

/** Collects the schemas of all routes that are registered after this call. */
export async function collectApiDocs(app: App): Promise<void> {
  app.addSchema(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Posthaste',
        version: '1',
        description: 'An event platform: guaranteed callbacks, and event streams.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'The gateway that serves this document.' }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description:
              'API key, `phk_…`, or short-lived token, `pht_…`. Not needed on a server that runs without keys, and not by pages with the cookie of a session.',
          },
        },
      },
    },
    refResolver: {
      // biome-ignore lint/complexity/useMaxParams: the library's signature
      buildLocalReference: (schema, _base, _fragment, i) => `${schema.$id ?? i}`,
    },
    transform: ({ schema, url, route }) => ({
      schema: describeRoute(schema, route.config),
      url,
    }),
    transformObject: (given) =>
      'openapiObject' in given ? nameSchemas(markOptionalBodies({ ...given.openapiObject })) : {},
  });
}

/** Adds the scope, the source of the applications and the errors of a route to its schema. */
function describeRoute(
  schema: FastifySchema | undefined,
  { scope = 'admin', application = 'all', errors = [] }: FastifyContextConfig = {},
) {
  const { description, response, ...own } = schema ?? {};
  const needsKey = scope !== 'public';
  const source = applicationDocs[application];
  const needs = [...describeScope(scope), source.description];
  const access = needs.filter((each) => each !== undefined).join(' ');
  const codes = [...errors, ...(needsKey ? source.errors : []), ...sharedErrors(needsKey)];
  return {
    ...own,
    description: [description, access].filter((each) => each).join('\n\n'),
    security: needsKey ? [{ key: [] }] : [],
    'x-scope': scope,
    'x-application': application,
    response: {
      ...describeAnswers(response as Record<string, object> | undefined),
      ...describeErrors([...new Set(codes)]),
      default: anyError,
    },
  };
}

function describeScope(scope: RouteScope = 'public'): string[] {
  if (scope === 'public') return [];
  return [scope === 'any' ? 'Needs a caller, with any scope.' : `Needs the scope \`${scope}\`.`];
}

/** Returns the codes of the checks that are made before a route is reached. */
function sharedErrors(needsKey: boolean): readonly ErrorCode[] {
  const ofCaller = ['HOST_NOT_ALLOWED', 'ORIGIN_NOT_ALLOWED', 'LOOP_DETECTED'] as const;
  return needsKey
    ? [
        'KEY_MISSING',
        'KEY_INVALID',
        'TOKEN_INVALID',
        'SESSION_INVALID',
        'SCOPE_MISSING',
        ...ofCaller,
        'ORIGIN_KEY_FORBIDDEN',
        'COOKIE_NOT_ALLOWED',
        'RATE_LIMITED',
        'LIMIT_REACHED',
      ]
    : ofCaller;
}

/** Gives answers whose schema has no description the standard text of their status. */
function describeAnswers(response: Readonly<Record<string, object>> = {}) {
  return Object.fromEntries(
    Object.entries(response).map(([status, schema]) => [
      status,
      { description: STATUS_CODES[status], ...schema },
    ]),
  );
}

/** Returns the error answers, by status, with the codes of each. */
function describeErrors(codes: readonly ErrorCode[]) {
  const byStatus = Map.groupBy(codes, (code) => new PlatformError(code, '').httpStatus);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => {
      const lines = group.map((code) => `\`${code}\`: ${errorCodes[code].meaning}`);
      return [status, { description: lines.join('\n\n'), content: problem }];
    }),
  );
}

/**
 * Serves the API document on `/openapi.json`, and on `/docs` a page to read and try it, which loads
 * nothing from other servers. `/` redirects there.
 */
export async function apiDocsRoutes(app: App): Promise<void> {
  // As bytes: text would be converted, and copied, for each client.
  let document: Buffer | undefined;
  app.get(
    '/openapi.json',
    { config: { scope: 'public', application: 'none' }, schema: { hide: true } },
    (_request, reply) => {
      document ??= Buffer.from(JSON.stringify(app.swagger()));
      return reply.header('content-type', 'application/json; charset=utf-8').send(document);
    },
  );
  app.get(
    '/',
    { config: { scope: 'public', application: 'none' }, schema: { hide: true } },
    (_request, reply) => reply.redirect('/docs'),
  );
  await app.register(async (pages: App) => {
    // Public, because the files of the page are the same in every installation.
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public', application: 'none' };
    });
    pages.setErrorHandler((error) => {
      throw toPageError(error);
    });
    await addPageHeaders(pages);
    await pages.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list' } });
  });
}

/**
 * Translates errors of the file server: a status from 400 to 499 means that the request is wrong.
 */
function toPageError(error: unknown): unknown {
  if (!(error instanceof Error && 'statusCode' in error)) return error;
  const { statusCode } = error;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return error;
  return new PlatformError(
    'REQUEST_MALFORMED',
    'the file of the page cannot be served for this request',
    {
      cause: error,
    },
  );
}
