import type { ApiKey, CreatedKey, KeyPage, KeyRequest } from '@posthaste/access';
import { scopes } from '@posthaste/access';
import { requestInvalid } from '@posthaste/callbacks';
import type { Applications } from '@posthaste/contracts';
import { Type } from 'typebox';
import type { App } from '../app.js';

const defaultPageSize = 100;

const Moment = Type.String({ format: 'date-time' });
const Scopes = Type.Array(Type.Enum([...scopes]), { minItems: 1, uniqueItems: true });

const NewKey = Type.Object({
  name: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    description: 'Name for people, without control characters.',
  }),
  scopes: Scopes,
  expiresAt: Type.Optional(
    Type.Union([Moment, Type.Null()], {
      description: 'End of its validity. Default: never.',
    }),
  ),
});

const keyFields = {
  id: Type.String({ format: 'uuid' }),
  name: Type.String(),
  scopes: Scopes,
  createdAt: Moment,
  expiresAt: Type.Union([Moment, Type.Null()]),
  revokedAt: Type.Union([Moment, Type.Null()]),
  lastUsedAt: Type.Union([Moment, Type.Null()], {
    description: 'Time of the last use, to the minute.',
  }),
};

const KeyView = Type.Object(keyFields);

const CreatedKeyView = Type.Object({
  ...keyFields,
  token: Type.String({
    description: 'Token to send as `Authorization: Bearer <token>`. Shown only here.',
  }),
});

const KeyPageView = Type.Object({
  keys: Type.Array(KeyView),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'Pass it as `before` to get the next page. Null on the last page.',
  }),
});

const PageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: defaultPageSize })),
  before: Type.Optional(Type.String({ format: 'uuid' })),
});

const KeyParams = Type.Object({ id: Type.String() });

/** Methods of `ApiKeys` that these routes use. */
export interface KeyAdmin {
  createKey(request: KeyRequest): Promise<CreatedKey>;
  listKeys(within: Applications, page: Partial<KeyPage>): Promise<ApiKey[]>;
  revokeKey(id: string, within: Applications): Promise<ApiKey>;
}

/** Adds `/v1/keys`: create, list and revoke API keys. */
export function keyRoutes(app: App, keys: KeyAdmin): void {
  const config = { scope: 'admin', application: 'all' } as const;
  const tags = ['API keys'];

  app.post(
    '/v1/keys',
    {
      config: { ...config, audit: { action: 'api-key.created', target: 'api-key' } },
      schema: {
        tags,
        operationId: 'createKey',
        summary: 'Create an API key',
        body: NewKey,
        response: { 201: CreatedKeyView },
      },
    },
    async ({ body }, reply) => {
      const { key, token } = await keys.createKey({
        ...body,
        expiresAt: body.expiresAt == null ? null : toExpiry(body.expiresAt),
      });
      return reply.code(201).send({ ...toKeyView(key), token });
    },
  );

  app.get(
    '/v1/keys',
    {
      config,
      schema: {
        tags,
        operationId: 'listKeys',
        summary: 'List API keys, newest first',
        querystring: PageQuery,
        response: { 200: KeyPageView },
      },
    },
    async ({ query: { limit = defaultPageSize, before } }) => {
      const page = await keys.listKeys('all', { limit, before });
      const last = page.length === limit ? page.at(-1) : undefined;
      return { keys: page.map(toKeyView), next: last?.id ?? null };
    },
  );

  app.delete(
    '/v1/keys/:id',
    {
      config: { ...config, audit: { action: 'api-key.revoked', target: 'api-key' } },
      schema: {
        tags,
        operationId: 'revokeKey',
        summary: 'Revoke an API key',
        description: 'The key stays in the list. Other gateways refuse it within a second.',
        params: KeyParams,
        response: { 200: KeyView },
      },
    },
    async ({ params }) => toKeyView(await keys.revokeKey(params.id, 'all')),
  );
}

/**
 * Parses an expiry. Refuses times before 1970, and what RFC 3339 allows but `Date` or Postgres does
 * not: leap seconds and the year 0.
 */
function toExpiry(moment: string): Date {
  const expiry = new Date(moment);
  if (expiry.getTime() > 0) return expiry;
  throw requestInvalid([{ field: 'expiresAt', message: 'must be a time after 1970' }]);
}

function toKeyView(key: ApiKey) {
  return {
    id: key.id,
    name: key.name,
    scopes: [...key.scopes],
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  };
}
