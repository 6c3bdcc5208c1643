import type { EndpointPatch, EndpointState } from '@posthaste/callbacks';
import type { Endpoints } from '@posthaste/callbacks/management';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { retryChoiceSchema, toPolicyChoice } from '../callbacks/retry-choice.js';
import {
  applicationField,
  headersSchema,
  idParams,
  nullable,
  strict,
} from '../schemas/field-schemas.js';
import { pageQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { endpointSchema, showEndpoint } from './endpoint-view.js';
import {
  newVersionSchema,
  ownSecretField,
  secretKindField,
  showNewVersion,
} from './secret-schemas.js';

const tags = ['Endpoints'];
const path = '/v1/endpoints';
const maxEndpointsPerPage = 500;

const Name = Type.String({
  minLength: 1,
  maxLength: 256,
  description: 'Unique in its application.',
  examples: ['order-service'],
});
const Url = Type.String({
  minLength: 1,
  maxLength: 4_096,
  description: 'Absolute, http or https.',
  examples: ['https://example.com/hooks'],
});

const settings = {
  headers: Type.Optional(
    nullable({
      ...headersSchema,
      type: 'object',
      description: 'Sent with every request. Those of a callback win over them.',
    }),
  ),
  retry: Type.Optional(
    nullable({
      ...retryChoiceSchema,
      description:
        'One of `phases`, `exponential` and `policy`. Default: waits that grow, about 16 hours.',
    }),
  ),
  timeoutMs: Type.Optional(
    nullable(Type.Integer({ minimum: 1, description: 'The total time of one attempt.' })),
  ),
  ratePerSecond: Type.Optional(
    nullable(
      Type.Number({
        minimum: 0.01,
        maximum: 10_000,
        description:
          'Attempts a second at most, in each worker process. Default: no limit of its own.',
      }),
    ),
  ),
  maxConcurrency: Type.Optional(
    nullable(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description:
          'Attempts at once at most, in each worker process; one in each of its threads at least. Default: no limit of its own.',
      }),
    ),
  ),
  order: Type.Optional(
    Type.Unsafe<NonNullable<EndpointPatch['order']> | null>(
      nullable(
        Type.String({
          description:
            'What its events are ordered by: `none`, `key`, `namespace`, `userId`, or a JSON Pointer into the payload. Default `none`.',
          examples: ['key', '/order/id'],
        }),
      ),
    ),
  ),
  notificationEmail: Type.Optional(
    nullable(
      Type.String({
        maxLength: 320,
        description: 'Told when a callback fails for good, and when the endpoint is disabled.',
      }),
    ),
  ),
};

const NewEndpoint = Type.Object(
  {
    application: applicationField,
    name: Name,
    url: Url,
    ...settings,
    secret: ownSecretField,
    secretKind: secretKindField,
  },
  {
    ...strict,
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
  { name: Type.Optional(Name), url: Type.Optional(Url), ...settings },
  {
    ...strict,
    title: 'EndpointPatch',
    description: 'What is left out stays; null takes back what was set.',
  },
);

const states: readonly EndpointState[] = ['active', 'paused', 'disabled'];

/** `/v1/endpoints`: named URLs that events are sent to. */
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
        errors: ['REQUEST_INVALID', 'ENDPOINT_EXISTS', 'POLICY_NOT_FOUND', 'SECRET_INVALID'],
      },
      schema: {
        tags,
        summary: 'Make an endpoint',
        description: 'With a secret of its own, given or generated, that signs what is sent to it.',
        body: NewEndpoint,
        response: { 201: Type.Object({ endpoint: endpointSchema, secret: newVersionSchema }) },
      },
    },
    async ({ body: { secret: text, secretKind: kind, ...fields } }, reply) => {
      const { application, name, url } = fields;
      const made = await endpoints.create(
        { ...toPatch(fields), application, name, url },
        { secret: text, kind },
      );
      return reply
        .code(201)
        .header('location', `${path}/${made.endpoint.id}`)
        .send({ endpoint: showEndpoint(made.endpoint), secret: showNewVersion(made.secret) });
    },
  );
}

function addList(app: App, endpoints: Endpoints): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List endpoints, newest first',
        querystring: Type.Object(
          {
            application: applicationField,
            state: Type.Optional(Type.Enum([...states], { type: 'string' })),
            ...pageQuery(maxEndpointsPerPage),
          },
          strict,
        ),
        response: { 200: pageSchema(endpointSchema) },
      },
    },
    async ({ query: { application, state, ...page } }) =>
      toPageView(await endpoints.list({ application, state }, page), showEndpoint),
  );
}

function addOne(app: App, endpoints: Endpoints): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:read', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'One endpoint',
        params: idParams,
        response: { 200: endpointSchema },
      },
    },
    async ({ params }) => showEndpoint(await endpoints.get(params.id)),
  );
  app.patch(
    `${path}/:id`,
    {
      config: {
        scope: 'endpoints:write',
        errors: ['REQUEST_INVALID', 'ENDPOINT_NOT_FOUND', 'ENDPOINT_EXISTS', 'POLICY_NOT_FOUND'],
      },
      schema: {
        tags,
        summary: 'Change an endpoint',
        description:
          'Headers and limits count for what is sent from now on, the rest for events from now on: what is owed already keeps what it has.',
        params: idParams,
        body: Patch,
        response: { 200: endpointSchema },
      },
    },
    async ({ params, body }) => showEndpoint(await endpoints.update(params.id, toPatch(body))),
  );
  app.delete(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:write', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Remove an endpoint, with its subscriptions and its secret',
        description: 'What is still owed to it is not sent any more, and ends as `cancelled`.',
        params: idParams,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async ({ params }, reply) => {
      await endpoints.remove(params.id);
      return reply.code(204).send(null);
    },
  );
}

function toPatch({ retry, ...fields }: Static<typeof Patch>): EndpointPatch {
  return { ...fields, policy: retry && toPolicyChoice(retry) };
}
