import type { EndpointPatch, EndpointState } from '@posthaste/callbacks';
import type { Endpoints } from '@posthaste/callbacks/management';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { isRecipientTrusted } from '../callbacks/mail-recipients.js';
import { toPolicyOrName } from '../callbacks/retry-choice.js';
import { ifMatchHeaders, readIfMatch, setEntityTag } from '../schemas/entity-tag.js';
import {
  applicationField,
  applicationFilter,
  idParams,
  noUnknownKeys,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { endpointSettings } from './endpoint-settings.js';
import {
  endpointSchema,
  listedEndpointSchema,
  toEndpointView,
  toListedEndpointView,
} from './endpoint-view.js';
import {
  newVersionSchema,
  ownSecretField,
  secretKindField,
  toNewVersionView,
} from './secret-schemas.js';

const tags = ['Endpoints'];
const path = '/v1/endpoints';
const maxEndpointsPerPage = 500;

const Name = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Name for people, unique in its application.',
  examples: ['order-service'],
});
const Url = Type.String({
  minLength: 1,
  maxLength: 4_096,
  description: 'Absolute URL with http or https.',
  examples: ['https://example.com/hooks'],
});

const NewEndpoint = Type.Object(
  {
    application: applicationField,
    name: Name,
    url: Url,
    ...endpointSettings,
    secret: ownSecretField,
    secretKind: secretKindField,
  },
  {
    ...noUnknownKeys,
    title: 'NewEndpoint',
    examples: [
      {
        application: 'shop',
        name: 'order-service',
        url: 'https://example.com/hooks',
        order: 'key',
      },
    ],
  },
);

const Patch = Type.Object(
  { name: Type.Optional(Name), url: Type.Optional(Url), ...endpointSettings },
  {
    ...noUnknownKeys,
    title: 'EndpointPatch',
    description: 'Missing fields stay unchanged; null resets a field to its default.',
  },
);

const states: readonly EndpointState[] = ['active', 'paused', 'disabled'];

/** Adds `/v1/endpoints`: named URLs that events are sent to. */
export function endpointRoutes(app: App, endpoints: Endpoints): void {
  addCreate(app, endpoints);
  addList(app, endpoints);
  addOne(app, endpoints);
}

function addCreate(app: App, endpoints: Endpoints): void {
  app.post(
    path,
    {
      config: {
        scope: 'endpoints:write',
        application: 'named',
        audit: { action: 'endpoint.created', target: 'endpoint' },
        counts: 'endpoints',
        errors: ['REQUEST_INVALID', 'ENDPOINT_EXISTS', 'POLICY_NOT_FOUND', 'SECRET_INVALID'],
      },
      schema: {
        tags,
        operationId: 'createEndpoint',
        summary: 'Create an endpoint',
        description: 'It gets a secret, given or generated, that signs all requests to it.',
        body: NewEndpoint,
        response: { 201: Type.Object({ endpoint: endpointSchema, secret: newVersionSchema }) },
      },
    },
    async ({ application, body, caller }, reply) => {
      const { secret: text, secretKind: kind, application: _, ...fields } = body;
      const { name, url } = fields;
      const created = await endpoints.create(
        {
          ...toPatch(fields),
          application,
          name,
          url,
          isRecipientTrusted: isRecipientTrusted(caller),
        },
        { secret: text, kind },
      );
      setEntityTag(reply, created.endpoint.version);
      return reply
        .code(201)
        .header('location', `${path}/${created.endpoint.id}`)
        .send({
          endpoint: toEndpointView(created.endpoint),
          secret: toNewVersionView(created.secret),
        });
    },
  );
}

function addList(app: App, endpoints: Endpoints): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listEndpoints',
        summary: 'List endpoints, newest first',
        querystring: listQuery(maxEndpointsPerPage, {
          application: applicationFilter,
          state: Type.Optional(Type.Enum([...states], { type: 'string' })),
        }),
        response: { 200: pageSchema(listedEndpointSchema) },
      },
    },
    async ({ query: { state, limit, cursor }, applications: within }) => {
      const page = await endpoints.list({ state, within }, { limit, cursor });
      return toPageView(page, toListedEndpointView);
    },
  );
}

function addOne(app: App, endpoints: Endpoints): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:read', application: 'owner', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getEndpoint',
        summary: 'Get an endpoint',
        params: idParams,
        response: { 200: endpointSchema },
      },
    },
    async ({ params, applications }, reply) => {
      const endpoint = await endpoints.get(params.id, applications);
      setEntityTag(reply, endpoint.version);
      return toEndpointView(endpoint);
    },
  );
  app.patch(
    `${path}/:id`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'endpoint.updated', target: 'endpoint' },
        errors: [
          'REQUEST_INVALID',
          'ENDPOINT_NOT_FOUND',
          'ENDPOINT_EXISTS',
          'POLICY_NOT_FOUND',
          'PRECONDITION_FAILED',
        ],
      },
      schema: {
        tags,
        operationId: 'updateEndpoint',
        summary: 'Change an endpoint',
        description:
          'New headers and limits apply to all further attempts. The other settings apply to new events; callbacks that exist keep theirs.',
        params: idParams,
        headers: ifMatchHeaders,
        body: Patch,
        response: { 200: endpointSchema },
      },
    },
    async ({ params, body, headers, caller, applications: within }, reply) => {
      const condition = { within, ifMatch: readIfMatch(headers) };
      const patch = { ...toPatch(body), isRecipientTrusted: isRecipientTrusted(caller) };
      const endpoint = await endpoints.update(params.id, patch, condition);
      setEntityTag(reply, endpoint.version);
      return toEndpointView(endpoint);
    },
  );
  app.delete(
    `${path}/:id`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'endpoint.deleted', target: 'endpoint' },
        errors: ['ENDPOINT_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'deleteEndpoint',
        summary: 'Remove an endpoint, with its subscriptions and its secret',
        description: 'Callbacks to it that are not delivered yet end as `cancelled`.',
        params: idParams,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async ({ params, applications }, reply) => {
      await endpoints.remove(params.id, applications);
      return reply.code(204).send(null);
    },
  );
}

function toPatch({ retry, ...fields }: Static<typeof Patch>): EndpointPatch {
  return { ...fields, policy: retry && toPolicyOrName(retry) };
}
