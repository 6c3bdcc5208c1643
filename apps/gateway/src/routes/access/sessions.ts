import { type Caller, type Sessions, scopes } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import { Type } from 'typebox';
import type { SessionCookies } from '../../access/session-cookies.js';
import type { App } from '../../app.js';
import { idParams, momentSchema, noUnknownKeys, nullable } from '../schemas/field-schemas.js';
import {
  applicationsView,
  rightsView,
  sessionView,
  toApplicationsView,
  toRightsView,
  toSessionView,
} from './access-views.js';

const tags = ['Sessions'];
const path = '/v1/sessions';
const defaultPageSize = 100;

const CurrentView = Type.Object(
  {
    kind: Type.Enum(['key', 'person', 'token', 'local']),
    id: Type.String(),
    name: Type.String(),
    applications: applicationsView,
    scopes: Type.Array(Type.Enum([...scopes]), {
      description: 'Scopes that the caller has in each of the applications.',
    }),
    rights: rightsView,
    expiresAt: nullable(momentSchema),
    session: Type.Union([sessionView, Type.Null()], {
      description: 'Session that the request belongs to, if any.',
    }),
  },
  { title: 'CurrentCaller' },
);

const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: defaultPageSize })),
    before: Type.Optional(Type.String({ format: 'uuid' })),
  },
  noUnknownKeys,
);

const SessionPage = Type.Object({
  sessions: Type.Array(sessionView),
  next: nullable(
    Type.String({
      description: 'Pass it as `before` to get the next page. Null on the last page.',
    }),
  ),
});

/** Dependencies of the routes of sessions. */
export interface SessionRoutesDeps {
  readonly sessions: Sessions;
  readonly cookies: SessionCookies;
}

/** Adds `/v1/sessions`: sign in with an API key, see who one is, sign out; list and end sessions. */
export function sessionRoutes(app: App, deps: SessionRoutesDeps): void {
  addCreate(app, deps);
  addCurrent(app, deps);
  addEnd(app, deps);
  addAdministration(app, deps);
}

function addCreate(app: App, { sessions, cookies }: SessionRoutesDeps): void {
  app.post(
    path,
    {
      config: {
        scope: 'any',
        application: 'caller',
        audit: { action: 'session.created', target: 'session' },
        errors: ['COOKIE_NOT_ALLOWED', 'SIGN_IN_UNAVAILABLE', 'TOKEN_PARENT_INVALID'],
      },
      schema: {
        tags,
        operationId: 'createSession',
        summary: 'Begin a session with an API key',
        description:
          'Sets the cookie of a session that has the rights of the key in `Authorization`, and ends with it. For pages in a browser; programs need none.',
        response: { 201: sessionView },
      },
    },
    async (request, reply) => {
      requireKey(request.caller);
      cookies.requireSafe(request);
      // Else another page could put the browser into a session of its own.
      if (cookies.isFromOtherPage(request)) {
        throw new PlatformError(
          'COOKIE_NOT_ALLOWED',
          'only pages of the platform itself may begin a session',
        );
      }
      const { session, token } = await sessions.createForKey(request.caller);
      reply.header('set-cookie', cookies.begin(token, session.expiresAt));
      return reply.code(201).send(toSessionView(session));
    },
  );
}

function addCurrent(app: App, { sessions }: SessionRoutesDeps): void {
  app.get(
    `${path}/current`,
    {
      config: { scope: 'any', application: 'caller', errors: ['SESSION_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getCurrentCaller',
        summary: 'See who the caller is, and what they may do',
        response: { 200: CurrentView },
      },
    },
    async ({ caller }) => {
      const { kind, id, name, applications, expiresAt } = caller;
      return {
        kind: kind === 'anonymous' ? ('local' as const) : kind,
        ...{ id, name, scopes: [...caller.scopes] },
        applications: toApplicationsView(applications),
        rights: toRightsView(caller.rights ?? [caller]),
        expiresAt: expiresAt?.toISOString() ?? null,
        session: kind === 'person' ? toSessionView(await sessions.get(id)) : null,
      };
    },
  );
}

function addEnd(app: App, { sessions, cookies }: SessionRoutesDeps): void {
  app.delete(
    `${path}/current`,
    {
      config: {
        scope: 'any',
        application: 'caller',
        audit: { action: 'session.revoked', target: 'session' },
        errors: ['SESSION_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'endCurrentSession',
        summary: 'Sign out',
        response: { 204: Type.Null() },
      },
    },
    async ({ caller }, reply) => {
      if (caller.kind !== 'person') {
        throw new PlatformError('SESSION_NOT_FOUND', 'the request belongs to no session');
      }
      await sessions.revoke(caller.id);
      return reply.header('set-cookie', cookies.end()).code(204).send(null);
    },
  );
}

function addAdministration(app: App, { sessions }: SessionRoutesDeps): void {
  const config = { scope: 'admin', application: 'all' } as const;
  app.get(
    path,
    {
      config,
      schema: {
        tags,
        operationId: 'listSessions',
        summary: 'List sessions, newest first',
        description: 'Sessions that ended stay in the list for 30 days.',
        querystring: PageQuery,
        response: { 200: SessionPage },
      },
    },
    async ({ query: { limit = defaultPageSize, before } }) => {
      const page = await sessions.list({ limit, before });
      const last = page.length === limit ? page.at(-1) : undefined;
      return { sessions: page.map(toSessionView), next: last?.id ?? null };
    },
  );

  app.delete(
    `${path}/:id`,
    {
      config: {
        ...config,
        audit: { action: 'session.revoked', target: 'session' },
        errors: ['SESSION_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'revokeSession',
        summary: 'End a session',
        description:
          'The session stays in the list. Other gateways refuse it, and the tokens made in it, within a second.',
        params: idParams,
        response: { 200: sessionView },
      },
    },
    async ({ params }) => toSessionView(await sessions.revoke(params.id)),
  );
}

/** @throws PlatformError `KEY_MISSING`, `TOKEN_PARENT_INVALID` */
function requireKey({ kind }: Caller): void {
  if (kind === 'key') return;
  if (kind === 'token') {
    throw new PlatformError('TOKEN_PARENT_INVALID', 'a token makes no sessions; use an API key');
  }
  throw new PlatformError(
    'KEY_MISSING',
    'a session begins with an API key; send one as `Authorization: Bearer <key>`',
  );
}
