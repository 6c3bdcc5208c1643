import { maxTokenSeconds, type ShortLivedTokens } from '@posthaste/access';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { checkMirrored } from '../../realtime/platform-mirror/mirror-access.js';
import {
  applicationNameSchema,
  applicationsView,
  channelsSchema,
  scopesSchema,
  tokenNameSchema,
} from '../access/access-views.js';
import { momentSchema, noUnknownKeys } from '../schemas/field-schemas.js';

/** Rights in realtime channels. */
const realtimeRights = ['subscribe', 'publish'] as const;
const defaultRealtimeSeconds = 900;

const NewRealtimeToken = Type.Object(
  {
    channels: channelsSchema,
    rights: Type.Unsafe<(typeof realtimeRights)[number][]>(
      Type.Array(Type.Enum([...realtimeRights]), {
        minItems: 1,
        uniqueItems: true,
        description: 'What the token may do in the channels.',
      }),
    ),
    application: Type.Optional(applicationNameSchema),
    name: Type.Optional(tokenNameSchema),
    expiresInSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: maxTokenSeconds,
        default: defaultRealtimeSeconds,
        description: 'Time after which the token ends, in seconds.',
      }),
    ),
  },
  { ...noUnknownKeys, examples: [{ channels: ['/default/room-1'], rights: ['subscribe'] }] },
);

const RealtimeTokenView = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    applications: applicationsView,
    scopes: scopesSchema,
    expiresAt: momentSchema,
    channels: channelsSchema,
    token: Type.String({
      description: 'Token for the browser, as `x-api-key` or `Authorization`. Shown only here.',
    }),
  },
  { title: 'NewRealtimeToken' },
);

/** Adds `POST /v1/realtime/tokens`: tokens that a backend makes for one browser. */
export function realtimeTokenRoutes(app: App, tokens: ShortLivedTokens): void {
  app.post(
    '/v1/realtime/tokens',
    {
      config: {
        scope: 'any',
        application: 'named',
        audit: { action: 'token.created', target: 'token' },
        errors: [
          'REQUEST_INVALID',
          'SCOPE_MISSING',
          'CHANNEL_FORBIDDEN',
          'APPLICATION_FORBIDDEN',
          'APPLICATION_REQUIRED',
          'TOKEN_PARENT_INVALID',
        ],
      },
      schema: {
        tags: ['Realtime'],
        operationId: 'createRealtimeToken',
        summary: 'Create a token for realtime channels',
        description:
          'A backend makes it for one browser, which may do nothing else with it. It ends with the key or session that made it, and is revoked with `DELETE /v1/tokens/{id}`.',
        body: NewRealtimeToken,
        response: { 201: RealtimeTokenView },
      },
    },
    async (request, reply) => {
      const { channels, rights, name = 'realtime', ...body } = request.body;
      const { expiresInSeconds = defaultRealtimeSeconds } = body;
      const scopes = rights.map((right) => `realtime:${right}` as const);
      const applications = [request.application];
      checkMirrored(request.caller, { applications, channels });
      const { id, token, expiresAt } = tokens.create(request.caller, {
        ...{ name, applications, scopes, channels, expiresInSeconds },
      });
      return reply.code(201).send({
        ...{ id, name, scopes, channels, token, applications },
        expiresAt: expiresAt.toISOString(),
      });
    },
  );
}
