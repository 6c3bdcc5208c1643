import { namespaceNameFault } from '@posthaste/appsync-server';
import type { NamespaceKey, NamespaceStore } from '@posthaste/appsync-server/postgres';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { applicationOrAll } from '../../access/application-or-all.js';
import type { App } from '../../app.js';
import { ifMatchHeaders, readIfMatch, setEntityTag } from '../schemas/entity-tag.js';
import { applicationFilter, noUnknownKeys } from '../schemas/field-schemas.js';
import { refuseNulInQuery } from '../schemas/nul-free.js';
import { listQuery, pageSchema } from '../schemas/pages.js';
import { KnownNamespaces } from './known-namespaces.js';
import {
  checkSettings,
  type ForeignTopicCheck,
  requireForwarding,
  requireNamespace,
} from './namespace-checks.js';
import {
  type ConfiguredNamespace,
  namespaceNameSchema,
  namespaceSchema,
  namespaceSettings,
  toNamespaceView,
} from './namespace-view.js';

/** Dependencies of the routes of namespaces. */
export interface NamespaceRoutesDeps {
  readonly store: NamespaceStore;
  /** Namespaces of the file of this gateway. */
  readonly configured: readonly ConfiguredNamespace[];
  readonly isForeignTopic: ForeignTopicCheck;
  /** Is called in the transaction of a change. */
  readonly onChange: () => void;
}

const tags = ['Realtime'];
const path = '/v1/namespaces';
const maxPerPage = 500;

const owner = Type.Optional(
  Type.String({
    maxLength: 256,
    description:
      'Application that the namespace belongs to. Default: the one of the API key; without a key, or with one for all, the namespaces that all applications share.',
    examples: ['shop'],
  }),
);
const OwnerQuery = Type.Object({ application: owner }, noUnknownKeys);
/** Any text is valid: one that no namespace can have gets the 404 of an unknown name. */
const NameParams = Type.Object({ name: Type.String() });
const Settings = Type.Object(namespaceSettings, {
  ...noUnknownKeys,
  title: 'NamespaceSettings',
  description: 'Fields that are missing, or null, have their defaults.',
});
const NewNamespace = Type.Object(
  { application: owner, name: namespaceNameSchema, ...namespaceSettings },
  { ...noUnknownKeys, title: 'NewNamespace', examples: [{ name: 'chat', history: 500 }] },
);

/** Adds `/v1/namespaces`: the namespaces of realtime channels. */
export function namespaceRoutes(app: App, deps: NamespaceRoutesDeps): void {
  const known = new KnownNamespaces(deps.store, deps.configured);
  refuseNulInQuery(app);
  addCreate(app, deps, known);
  addReads(app, known);
  addReplace(app, deps, known);
  addRemove(app, deps, known);
}

function addCreate(app: App, deps: NamespaceRoutesDeps, known: KnownNamespaces): void {
  app.post(
    path,
    {
      config: {
        scope: 'realtime:write',
        application: 'items',
        audit: { action: 'namespace.created', target: 'namespace' },
        errors: [
          'REQUEST_INVALID',
          'NAMESPACE_EXISTS',
          'NAMESPACE_LIMIT_REACHED',
          'NAMESPACE_CONFIGURED',
          'CHANNEL_FORBIDDEN',
        ],
      },
      schema: {
        tags,
        operationId: 'createNamespace',
        summary: 'Create a namespace of realtime channels',
        description:
          'An application finds a namespace of its own before a shared one of the same name. It has 50 at most. Shared ones are changed by callers for all applications only. All gateways know it within a second.',
        body: NewNamespace,
        response: { 201: namespaceSchema },
      },
    },
    async (request, reply) => {
      const { application: named, name, ...settings } = request.body;
      const key = { application: applicationOrAll(request, named), name };
      requireNamespace(request, key);
      requireForwarding(request, key, settings);
      known.requireChangeable(key);
      const checked = checkSettings(settings, key, deps.isForeignTopic);
      const created = await deps.store.create(key, checked, request.caller.applications);
      deps.onChange();
      setEntityTag(reply, created.version);
      return reply.code(201).header('location', locationOf(key)).send(toNamespaceView(created));
    },
  );
}

function addReads(app: App, known: KnownNamespaces): void {
  app.get(
    path,
    {
      config: { scope: 'realtime:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listNamespaces',
        summary: 'List namespaces of realtime channels',
        description:
          'Those of applications and the shared ones: first those of the file of the gateway, then the others by name. `posthaste`, in which the platform mirrors its own events, is not listed.',
        querystring: listQuery(maxPerPage, { application: applicationFilter }),
        response: { 200: pageSchema(namespaceSchema) },
      },
    },
    ({ query: { limit = 50, cursor }, applications: within }) =>
      known.list({ within, limit, cursor }),
  );
  app.get(
    `${path}/:name`,
    {
      config: { scope: 'realtime:read', application: 'items', errors: ['NAMESPACE_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getNamespace',
        summary: 'Get a namespace of realtime channels',
        description: 'The one of the application, else the shared one.',
        params: NameParams,
        querystring: OwnerQuery,
        response: { 200: namespaceSchema },
      },
    },
    async (request, reply) => {
      const { view, version } = await known.get(toKey(request));
      if (version !== undefined) setEntityTag(reply, version);
      return view;
    },
  );
}

const changeErrors = [
  'NAMESPACE_NOT_FOUND',
  'NAMESPACE_CONFIGURED',
  'APPLICATION_SCOPE_MISSING',
  'CHANNEL_FORBIDDEN',
  'PRECONDITION_FAILED',
] as const;

function addReplace(app: App, deps: NamespaceRoutesDeps, known: KnownNamespaces): void {
  app.put(
    `${path}/:name`,
    {
      config: {
        scope: 'realtime:write',
        application: 'items',
        audit: { action: 'namespace.updated', target: 'namespace' },
        errors: ['REQUEST_INVALID', ...changeErrors],
      },
      schema: {
        tags,
        operationId: 'replaceNamespace',
        summary: 'Replace the settings of a namespace',
        description:
          'In force on all gateways within a second. Subscriptions of credentials that the namespace no longer lets in end with `subscribe_error`.',
        params: NameParams,
        querystring: OwnerQuery,
        headers: ifMatchHeaders,
        body: Settings,
        response: { 200: namespaceSchema },
      },
    },
    async (request, reply) => {
      const key = toKey(request);
      requireNamespace(request, key);
      requireForwarding(request, key, request.body);
      known.requireChangeable(key);
      const settings = checkSettings(request.body, key, deps.isForeignTopic);
      const changed = await deps.store.update(key, settings, toChange(request));
      deps.onChange();
      setEntityTag(reply, changed.version);
      return toNamespaceView(changed);
    },
  );
}

function addRemove(app: App, deps: NamespaceRoutesDeps, known: KnownNamespaces): void {
  app.delete(
    `${path}/:name`,
    {
      config: {
        scope: 'realtime:write',
        application: 'items',
        audit: { action: 'namespace.deleted', target: 'namespace' },
        errors: ['REQUEST_INVALID', ...changeErrors],
      },
      schema: {
        tags,
        operationId: 'deleteNamespace',
        summary: 'Remove a namespace of realtime channels',
        description:
          'Within a second its subscriptions end with `subscribe_error` on all gateways, unless a shared namespace has the name. The shared `default` cannot be removed.',
        params: NameParams,
        querystring: OwnerQuery,
        headers: ifMatchHeaders,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async (request, reply) => {
      const key = toKey(request);
      requireNamespace(request, key);
      known.requireChangeable(key);
      await deps.store.remove(key, toChange(request));
      deps.onChange();
      return reply.code(204).send(null);
    },
  );
}

type NamedRequest = FastifyRequest<{
  readonly Params: Static<typeof NameParams>;
  readonly Querystring: Static<typeof OwnerQuery>;
}>;

/** @throws PlatformError `NAMESPACE_NOT_FOUND` for what no namespace can be called */
function toKey(request: NamedRequest): NamespaceKey {
  const { name } = request.params;
  const application = applicationOrAll(request, request.query.application);
  if (namespaceNameFault(name) === undefined) return { application, name };
  throw new PlatformError('NAMESPACE_NOT_FOUND', 'no namespace can have this name');
}

function toChange({ caller, headers }: NamedRequest): Parameters<NamespaceStore['update']>[2] {
  return { within: caller.applications, ifMatch: readIfMatch(headers) };
}

function locationOf({ application, name }: NamespaceKey): string {
  if (application === undefined) return `${path}/${name}`;
  return `${path}/${name}?application=${encodeURIComponent(application)}`;
}
