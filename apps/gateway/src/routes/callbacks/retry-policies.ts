import type { NamedPolicy, Policies } from '@posthaste/callbacks';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { applicationOrAll } from '../../access/application-or-all.js';
import type { App } from '../../app.js';
import {
  applicationFilter,
  configuredNameSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { retryRuleSchema, ruleToPolicyInput } from './retry-choice.js';

const tags = ['Retry policies'];
const path = '/v1/retry-policies';
const maxPoliciesPerPage = 500;

const NameParams = Type.Object({ name: Type.String() });
const NewNameParams = Type.Object({ name: configuredNameSchema });

/** Query that names the owner of a policy. */
const OwnerQuery = Type.Object(
  {
    application: Type.Optional(
      Type.String({
        maxLength: 256,
        description:
          'Application that the policy belongs to. Default: the one of the API key; without a key, or with one for all, the policies that all applications share.',
        examples: ['shop'],
      }),
    ),
  },
  noUnknownKeys,
);

const View = Type.Object(
  {
    application: nullable(
      Type.String({ description: 'Application that it belongs to. Null: all share it.' }),
    ),
    name: Type.String(),
    retry: retryRuleSchema,
    updatedAt: momentSchema,
  },
  { title: 'RetryPolicy' },
);

/** Adds `/v1/retry-policies`: retry policies by name, of one application or shared by all. */
export function retryPolicyRoutes(app: App, policies: Policies): void {
  addPut(app, policies);
  addList(app, policies);
  addOne(app, policies);
}

function addPut(app: App, policies: Policies): void {
  app.put(
    `${path}/:name`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'items',
        audit: { action: 'retry-policy.set', target: 'retry-policy' },
        errors: ['REQUEST_INVALID'],
      },
      schema: {
        tags,
        operationId: 'putRetryPolicy',
        summary: 'Create or replace a retry policy',
        description:
          'A callback gets a copy of the policy when it is accepted, so a change applies to later callbacks only. A policy of an application is found before a shared one of the same name. Shared ones can be changed by callers for all applications only.',
        params: NewNameParams,
        querystring: OwnerQuery,
        body: retryRuleSchema,
        response: { 200: View },
      },
    },
    async (request) =>
      toPolicyView(await policies.put(toKey(request), ruleToPolicyInput(request.body))),
  );
}

function addList(app: App, policies: Policies): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listRetryPolicies',
        summary: 'List retry policies, by name',
        description: 'Those of applications, and the shared ones.',
        querystring: listQuery(maxPoliciesPerPage, { application: applicationFilter }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { limit, cursor }, applications: within }) =>
      toPageView(await policies.list({ within }, { limit, cursor }), toPolicyView),
  );
}

function addOne(app: App, policies: Policies): void {
  app.get(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:read', application: 'items', errors: ['POLICY_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getRetryPolicy',
        summary: 'Get a retry policy',
        description: 'The one of the application, else the shared one.',
        params: NameParams,
        querystring: OwnerQuery,
        response: { 200: View },
      },
    },
    async (request) => toPolicyView(await policies.get(toKey(request))),
  );
  app.delete(
    `${path}/:name`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'items',
        audit: { action: 'retry-policy.deleted', target: 'retry-policy' },
        errors: ['POLICY_NOT_FOUND', 'POLICY_IN_USE'],
      },
      schema: {
        tags,
        operationId: 'deleteRetryPolicy',
        summary: 'Remove a retry policy',
        description: 'Callbacks keep their copies. Refused while an endpoint names the policy.',
        params: NameParams,
        querystring: OwnerQuery,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async (request, reply) => {
      await policies.remove(toKey(request));
      return reply.code(204).send(null);
    },
  );
}

type PolicyRequest = FastifyRequest<{
  readonly Params: Static<typeof NameParams>;
  readonly Querystring: Static<typeof OwnerQuery>;
}>;

function toKey(request: PolicyRequest): Parameters<Policies['get']>[0] {
  const application = applicationOrAll(request, request.query.application);
  return { application, name: request.params.name };
}

function toPolicyView(named: NamedPolicy): Static<typeof View> {
  const { application, name, policy: retry, updatedAt } = named;
  return { application: application ?? null, name, retry, updatedAt: updatedAt.toISOString() };
}
