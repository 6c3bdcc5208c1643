import { maxTokenSeconds, type ShortLivedTokens } from '@posthaste/access';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { idParams, momentSchema, noUnknownKeys } from '../schemas/field-schemas.js';
import {
  applicationNameSchema,
  applicationsView,
  scopesSchema,
  toApplicationsView,
  tokenNameSchema,
} from './access-views.js';

const tags = ['Tokens'];
const path = '/v1/tokens';
const defaultSeconds = 3_600;

const NewToken = Type.Object(
  {
    name: tokenNameSchema,
    applications: Type.Optional(
      Type.Array(applicationNameSchema, {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
        description:
          'Applications that the token may use. Default: the application of the caller, which must have only one; for a caller for all, POSTHASTE_DEFAULT_APPLICATION.',
      }),
    ),
    scopes: scopesSchema,
    expiresInSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: maxTokenSeconds,
        default: defaultSeconds,
        description: 'Time after which the token ends, in seconds.',
      }),
    ),
  },
  {
    ...noUnknownKeys,
    examples: [{ name: 'portal', applications: ['shop'], scopes: ['callbacks:read'] }],
  },
);

const CreatedTokenView = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    applications: applicationsView,
    scopes: scopesSchema,
    expiresAt: momentSchema,
    token: Type.String({
      description: 'Token to send as `Authorization: Bearer <token>`. Shown only here.',
    }),
  },
  { title: 'NewToken' },
);

/** Adds `/v1/tokens`: short-lived tokens for portals and browsers. */
export function tokenRoutes(app: App, tokens: ShortLivedTokens): void {
  app.post(
    path,
    {
      config: {
        scope: 'any',
        application: 'items',
        audit: { action: 'token.created', target: 'token' },
        errors: [
          'REQUEST_INVALID',
          'SCOPE_MISSING',
          'APPLICATION_FORBIDDEN',
          'APPLICATION_REQUIRED',
          'TOKEN_PARENT_INVALID',
        ],
      },
      schema: {
        tags,
        operationId: 'createToken',
        summary: 'Create a short-lived token',
        description:
          'For portals and browsers. It may do no more than the key or the session that creates it, and ends with it.',
        body: NewToken,
        response: { 201: CreatedTokenView },
      },
    },
    async (request, reply) => {
      const { name, scopes, expiresInSeconds = defaultSeconds } = request.body;
      const named: readonly (string | undefined)[] = request.body.applications ?? [undefined];
      const applications = named.map((application) => request.applicationFor(application));
      const { id, token, expiresAt } = tokens.create(request.caller, {
        ...{ name, applications, scopes, expiresInSeconds },
      });
      return reply.code(201).send({
        ...{ id, name, scopes, token },
        applications: toApplicationsView(applications),
        expiresAt: expiresAt.toISOString(),
      });
    },
  );

  app.delete(
    `${path}/:id`,
    {
      config: {
        scope: 'any',
        application: 'caller',
        audit: { action: 'token.revoked', target: 'token' },
        errors: ['TOKEN_NOT_FOUND', 'TOKEN_REVOCATIONS_EXHAUSTED'],
      },
      schema: {
        tags,
        operationId: 'revokeToken',
        summary: 'Revoke a token',
        description:
          'The caller is the key or the session that created it, or the token itself. Other gateways refuse it within a second. Tokens are not stored: an id of no token, or of one of another caller, is answered in the same way and changes nothing.',
        params: idParams,
        response: { 204: Type.Null() },
      },
    },
    async ({ caller, params }, reply) => {
      await tokens.revoke(caller, params.id);
      return reply.code(204).send(null);
    },
  );
}
