import {
  type ApiKey,
  type CreatedKey,
  type KeyPage,
  type KeyRequest,
  scopes,
  toDelegatedKey,
} from '@posthaste/access';
import { requestInvalid } from '@posthaste/callbacks';
import type { Applications } from '@posthaste/contracts';
import { Type } from 'typebox';
import type { App } from '../app.js';
import { channelsSchema, channelsView } from './access/access-views.js';

const defaultPageSize = 100;

const Moment = Type.String({ format: 'date-time' });
const Scopes = Type.Array(Type.Enum([...scopes]), { minItems: 1, uniqueItems: true });

const maxApplications = 100;

const ApplicationNames = Type.Array(
  Type.String({ maxLength: 256, pattern: '^[^\\u0000]*$', examples: ['shop'] }),
  { minItems: 1, maxItems: maxApplications, uniqueItems: true },
);

const NewKey = Type.Object({
  name: Type.String({
    minLength: 1,
    maxLength: 200,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    description: 'Name for people, without control characters.',
  }),
  scopes: Scopes,
  applications: Type.Optional(
    Type.Union([ApplicationNames, Type.Null()], {
      description:
        'Applications that it may use. Default, and null: those of the caller, which are all for a key for all. An application that is new is created.',
    }),
  ),
  channels: Type.Optional(
    Type.Union([channelsSchema, Type.Null()], {
      description:
        'Realtime channels that it may use, with the scopes of realtime; with `realtime:write`, the namespaces whose channels are all among them. Default, and null: those of the caller.',
    }),
  ),
  expiresAt: Type.Optional(
    Type.Union([Moment, Type.Null()], {
      description:
        'End of its validity; null is never. Default: never, or the end of the caller, if it has one.',
    }),
  ),
});

const keyFields = {
  id: Type.String({ format: 'uuid' }),
  name: Type.String(),
  scopes: Scopes,
  applications: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'Applications that it may use; null is all.',
  }),
  channels: channelsView,
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

const tags = ['API keys'];

/** Adds `/v1/keys`: create, list and revoke API keys. */
export function keyRoutes(app: App, keys: KeyAdmin): void {
  addCreate(app, keys);
  addList(app, keys);
  addRevoke(app, keys);
}

function addCreate(app: App, keys: KeyAdmin): void {
  app.post(
    '/v1/keys',
    {
      config: {
        scope: 'admin',
        application: 'items',
        audit: { action: 'api-key.created', target: 'api-key' },
        errors: ['REQUEST_INVALID', 'KEY_EXCEEDS_CREATOR'],
      },
      schema: {
        tags,
        operationId: 'createKey',
        summary: 'Create an API key',
        description:
          'The new key can do no more than the caller: its scopes and applications are among those of the caller, and it does not end later. It cannot be changed afterwards.',
        body: NewKey,
        response: { 201: CreatedKeyView },
      },
    },
    async (request, reply) => {
      const { applications, channels, expiresAt, ...body } = request.body;
      const asked: KeyRequest = {
        ...body,
        applications: applications?.map((each) => request.applicationFor(each)),
        channels: channels ?? undefined,
        expiresAt: typeof expiresAt === 'string' ? toExpiry(expiresAt) : expiresAt,
      };
      const { key, token } = await keys.createKey(toDelegatedKey(asked, request.caller));
      return reply.code(201).send({ ...toKeyView(key), token });
    },
  );
}

function addList(app: App, keys: KeyAdmin): void {
  app.get(
    '/v1/keys',
    {
      config: { scope: 'admin', application: 'caller', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listKeys',
        summary: 'List API keys, newest first',
        description: 'Those whose applications are all applications of the caller.',
        querystring: PageQuery,
        response: { 200: KeyPageView },
      },
    },
    async ({ query: { limit = defaultPageSize, before }, applications }) => {
      const page = await keys.listKeys(applications, { limit, before });
      const last = page.length === limit ? page.at(-1) : undefined;
      return { keys: page.map(toKeyView), next: last?.id ?? null };
    },
  );
}

function addRevoke(app: App, keys: KeyAdmin): void {
  app.delete(
    '/v1/keys/:id',
    {
      config: {
        scope: 'admin',
        application: 'owner',
        audit: { action: 'api-key.revoked', target: 'api-key' },
        errors: ['KEY_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'revokeKey',
        summary: 'Revoke an API key',
        description:
          'The key stays in the list. Every process refuses it within a second, and ends its streams.',
        params: KeyParams,
        response: { 200: KeyView },
      },
    },
    async ({ params, applications }) => toKeyView(await keys.revokeKey(params.id, applications)),
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
    applications: key.applications && [...key.applications],
    channels: key.channels && [...key.channels],
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  };
}
