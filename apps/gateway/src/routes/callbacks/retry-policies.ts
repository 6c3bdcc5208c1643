import type { NamedPolicy, Policies } from '@posthaste/callbacks';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { configuredNameSchema, momentSchema, strict } from '../schemas/field-schemas.js';
import { pageQuery, pageSchema, toPageView } from '../schemas/pages.js';
import { retryRuleSchema, toPolicyInput } from './retry-choice.js';

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

/** `/v1/retry-policies`: retry policies by name, for all applications. */
export function retryPolicyRoutes(app: App, policies: Policies): void {
  addPut(app, policies);
  addList(app, policies);
  addOne(app, policies);
}

function addPut(app: App, policies: Policies): void {
  app.put(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:write', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'Make or replace a retry policy',
        description:
          'A callback takes a copy when it is accepted: a change counts for those after it.',
        params: NewNameParams,
        body: retryRuleSchema,
        response: { 200: View },
      },
    },
    async ({ params, body }) => toView(await policies.put(params.name, toPolicyInput(body))),
  );
}

function addList(app: App, policies: Policies): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List retry policies, by name',
        querystring: Type.Object(pageQuery(maxPoliciesPerPage), strict),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query }) => toPageView(await policies.list(query), toView),
  );
}

function addOne(app: App, policies: Policies): void {
  app.get(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:read', errors: ['POLICY_NOT_FOUND'] },
      schema: { tags, summary: 'One retry policy', params: NameParams, response: { 200: View } },
    },
    async ({ params }) => toView(await policies.get(params.name)),
  );
  app.delete(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:write', errors: ['POLICY_NOT_FOUND', 'POLICY_IN_USE'] },
      schema: {
        tags,
        summary: 'Remove a retry policy',
        description: 'Callbacks that took it keep their copy. Refused while an endpoint names it.',
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

function toView({ name, policy: retry, updatedAt }: NamedPolicy): Static<typeof View> {
  return { name, retry, updatedAt: updatedAt.toISOString() };
}
