import type { Subscription, Subscriptions } from '@posthaste/callbacks/management';
import { type Static, Type } from 'typebox';
import type { App } from '../../app.js';
import { idParams, idSchema, momentSchema, nullable, strict } from '../schemas/field-schemas.js';
import { pageQuery, pageSchema, toPageView } from '../schemas/pages.js';

const tags = ['Subscriptions'];
const path = '/v1/subscriptions';
const maxSubscriptionsPerPage = 500;

const fields = {
  eventName: Type.String({
    minLength: 1,
    maxLength: 256,
    description:
      'Pattern of event names: `*` stands for one segment between dots, `**` in the last place for one or more.',
    examples: ['order.created', 'order.*', 'order.**'],
  }),
  namespace: Type.Optional(
    nullable(Type.String({ maxLength: 256, description: 'Letter for letter. Default: any.' })),
  ),
  filter: Type.Optional(
    Type.Unsafe<Record<string, unknown> | null>({
      type: ['object', 'null'],
      additionalProperties: true,
      description:
        'A JSON Schema (2020-12) that the payload must satisfy; without regular expressions and references. Default: any payload does.',
      examples: [{ properties: { total: { minimum: 100 } }, required: ['total'] }],
    }),
  ),
};

const Replacement = Type.Object(fields, strict);
const NewSubscription = Type.Object({ endpointId: idSchema, ...fields }, strict);

const View = Type.Object(
  {
    id: idSchema,
    endpointId: idSchema,
    eventName: fields.eventName,
    namespace: nullable(Type.String()),
    filter: fields.filter,
    createdAt: momentSchema,
  },
  { title: 'Subscription' },
);

/** `/v1/subscriptions`: which events an endpoint is owed. */
export function subscriptionRoutes(app: App, subscriptions: Subscriptions): void {
  addCreate(app, subscriptions);
  addList(app, subscriptions);
  addOne(app, subscriptions);
}

function addCreate(app: App, subscriptions: Subscriptions): void {
  app.post(
    path,
    {
      config: { scope: 'endpoints:write', errors: ['REQUEST_INVALID', 'ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Subscribe an endpoint to events',
        description:
          'An endpoint gets an event once, however many of its subscriptions ask for it. Counts for events from now on.',
        body: NewSubscription,
        response: { 201: View },
      },
    },
    async ({ body }, reply) => {
      const subscription = await subscriptions.create(body);
      return reply
        .code(201)
        .header('location', `${path}/${subscription.id}`)
        .send(toView(subscription));
    },
  );
}

function addList(app: App, subscriptions: Subscriptions): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'List subscriptions, newest first',
        querystring: Type.Object(
          {
            endpointId: Type.Optional({ ...idSchema, description: 'Of this endpoint only.' }),
            ...pageQuery(maxSubscriptionsPerPage),
          },
          strict,
        ),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { endpointId, ...page } }) =>
      toPageView(await subscriptions.list({ endpointId }, page), toView),
  );
}

function addOne(app: App, subscriptions: Subscriptions): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:read', errors: ['SUBSCRIPTION_NOT_FOUND'] },
      schema: { tags, summary: 'One subscription', params: idParams, response: { 200: View } },
    },
    async ({ params }) => toView(await subscriptions.get(params.id)),
  );
  app.put(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:write', errors: ['SUBSCRIPTION_NOT_FOUND', 'REQUEST_INVALID'] },
      schema: {
        tags,
        summary: 'Replace what a subscription asks for',
        params: idParams,
        body: Replacement,
        response: { 200: View },
      },
    },
    async ({ params, body }) => toView(await subscriptions.update(params.id, body)),
  );
  app.delete(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:write', errors: ['SUBSCRIPTION_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'End a subscription',
        description: 'Callbacks that it has made are delivered all the same.',
        params: idParams,
        response: { 204: Type.Null({ description: 'Ended.' }) },
      },
    },
    async ({ params }, reply) => {
      await subscriptions.remove(params.id);
      return reply.code(204).send(null);
    },
  );
}

function toView(subscription: Subscription): Static<typeof View> {
  return {
    ...subscription,
    namespace: subscription.namespace ?? null,
    filter: subscription.filter ? { ...subscription.filter } : null,
    createdAt: subscription.createdAt.toISOString(),
  };
}
