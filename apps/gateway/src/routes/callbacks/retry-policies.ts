import type { NamedPolicy, Policies } from '@posthaste/callbacks';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { configuredNameSchema, momentSchema } from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { retryRuleSchema, ruleToPolicyInput } from './retry-choice.js';

const tags = ['Retry policies'];
const path = '/v1/retry-policies';
const maxPoliciesPerPage = 500;

const NameParams = Type.Object({ name: Type.String() });
const NewNameParams = Type.Object({ name: configuredNameSchema });

const View = Type.Object(
  {
    name: Type.String(),
    retry: retryRuleSchema,
    updatedAt: momentSchema,
  },
  { title: 'RetryPolicy' },
);

/** Adds `/v1/retry-policies`: retry policies by name, for all applications. */
export function retryPolicyRoutes(app: App, policies: Policies): void {
  addPut(app, policies);
  addList(app, policies);
  addOne(app, policies);
}

function addPut(app: App, policies: Policies): void {
  app.put(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:write', application: 'named', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'putRetryPolicy',
        summary: 'Create or replace a retry policy',
        description:
          'A callback gets a copy of the policy when it is accepted, so a change applies to later callbacks only.',
        params: NewNameParams,
        body: retryRuleSchema,
        response: { 200: View },
      },
    },
    async ({ params, body }) =>
      toPolicyView(await policies.put(params.name, ruleToPolicyInput(body))),
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
        querystring: listQuery(maxPoliciesPerPage, {}),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query }) => toPageView(await policies.list(query), toPolicyView),
  );
}

function addOne(app: App, policies: Policies): void {
  app.get(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:read', application: 'named', errors: ['POLICY_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getRetryPolicy',
        summary: 'Get a retry policy',
        params: NameParams,
        response: { 200: View },
      },
    },
    async ({ params }) => toPolicyView(await policies.get(params.name)),
  );
  app.delete(
    `${path}/:name`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'named',
        errors: ['POLICY_NOT_FOUND', 'POLICY_IN_USE'],
      },
      schema: {
        tags,
        operationId: 'deleteRetryPolicy',
        summary: 'Remove a retry policy',
        description: 'Callbacks keep their copies. Refused while an endpoint names the policy.',
        params: NameParams,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async ({ params }, reply) => {
      await policies.remove(params.name);
      return reply.code(204).send(null);
    },
  );
}

function toPolicyView({ name, policy: retry, updatedAt }: NamedPolicy): Static<typeof View> {
  return { name, retry, updatedAt: updatedAt.toISOString() };
}
