import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { type ErrorCode, errorCodes, PlatformError } from '@posthaste/contracts';
import type { FastifyContextConfig, FastifySchema } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../app.js';
import { addPageHeaders } from '../http/security-headers.js';
import { nameSchemas } from './named-schemas.js';

const Problem = Type.Object(
  {
    type: Type.String({ description: 'Names the kind of problem.' }),
    title: Type.String({ description: 'What the code means, and what to do.' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What happened this time.' }),
    code: Type.String({ description: 'Stable: programs decide by it.' }),
    retryable: Type.Boolean({ description: 'Whether the same call can succeed later, unchanged.' }),
    instance: Type.Optional(Type.String({ description: 'The id of the request, for the log.' })),
    details: Type.Optional(Type.Unknown({ description: 'Such as the fields that are wrong.' })),
  },
  { $id: 'Problem', description: 'Every error, by RFC 9457.' },
);

const problem = { 'application/problem+json': { schema: { $ref: 'Problem#' } } };
const anyError = { description: 'Any other error.', content: problem };

/** Collects the schemas of the routes that are added from now on. */
export async function collectApiDocs(app: App): Promise<void> {
  app.addSchema(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Posthaste',
        version: '1',
        description: 'An event platform: callbacks that are delivered whatever happens.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, `phk_…`. Not needed where the server asks for none.',
          },
        },
      },
    },
    refResolver: { buildLocalReference: (schema, _base, _fragment, i) => `${schema.$id ?? i}` },
    transform: ({ schema, url, route }) => ({
      schema: describeRoute(schema, route.config),
      url,
    }),
    transformObject: (given) =>
      'openapiObject' in given ? nameSchemas({ ...given.openapiObject }) : {},
  });
}

/** Adds to a route's own schema what the server knows of it: who may call, and how it fails. */
function describeRoute(
  schema: FastifySchema | undefined,
  { scope, errors = [] }: FastifyContextConfig = {},
) {
  const { description, response, ...own } = schema ?? {};
  const needs = scope === undefined || scope === 'public' ? [] : [`Needs the scope \`${scope}\`.`];
  return {
    ...own,
    description: [...(description === undefined ? [] : [description]), ...needs].join('\n\n'),
    security: needs.length > 0 ? [{ key: [] }] : [],
    response: {
      ...describeAnswers(response as Record<string, object> | undefined),
      ...describeErrors(errors),
      default: anyError,
    },
  };
}

/** Answers whose schema has no words of its own get those of their status. */
function describeAnswers(response: Readonly<Record<string, object>> = {}) {
  return Object.fromEntries(
    Object.entries(response).map(([status, schema]) => [
      status,
      { description: STATUS_CODES[status], ...schema },
    ]),
  );
}

/** The answers to these errors, by status. */
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
 * `/openapi.json`, and a page to read and try it on `/docs` that needs nothing from elsewhere. `/`
 * leads there.
 */
export async function apiDocsRoutes(app: App): Promise<void> {
  let document: string | undefined;
  app.get(
    '/openapi.json',
    { config: { scope: 'public' }, schema: { hide: true } },
    (_request, reply) => {
      document ??= JSON.stringify(app.swagger());
      return reply.header('content-type', 'application/json; charset=utf-8').send(document);
    },
  );
  app.get('/', { config: { scope: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply.redirect('/docs'),
  );
  await app.register(async (pages: App) => {
    // What the page is made of is the same everywhere: it tells nothing of this installation.
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    pages.setErrorHandler((error) => {
      throw toPageError(error);
    });
    await addPageHeaders(pages);
    await pages.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list' } });
  });
}

/** What serves the files tells by a status that it is the request that cannot be met. */
function toPageError(error: unknown): unknown {
  if (!(error instanceof Error && 'statusCode' in error)) return error;
  const { statusCode } = error;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return error;
  return new PlatformError('REQUEST_MALFORMED', 'the page cannot be given like this', {
    cause: error,
  });
}
