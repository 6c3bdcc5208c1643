import type { Subscription, Subscriptions } from '@posthaste/callbacks/management';
import { parseJsonWithDigits } from '@posthaste/contracts';
import { type Static, Type } from 'typebox';
import { isAuditPattern, requireAuditScope } from '../../access/audit-events.js';
import type { App } from '../../app.js';
import { setJsonParser } from '../../http/json-body.js';
import { ifMatchHeaders, readIfMatch, setEntityTag } from '../schemas/entity-tag.js';
import {
  applicationFilter,
  idParams,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';

const tags = ['Subscriptions'];
const path = '/v1/subscriptions';
const maxSubscriptionsPerPage = 500;

const fields = {
  eventName: Type.String({
    minLength: 1,
    maxLength: 1_024,
    description:
      'Pattern of event names; for CloudEvents, of their `type`. `*` matches one segment between dots; `**`, only in the last place, matches one or more. Other characters stand for themselves.',
    examples: ['order.created', 'order.*', 'order.**'],
  }),
  namespace: Type.Optional(
    nullable(
      Type.String({
        maxLength: 256,
        description: 'Namespace of the events, matched exactly. Default: any.',
      }),
    ),
  ),
  filter: Type.Optional(
    Type.Unsafe<Record<string, unknown> | null>({
      type: ['object', 'null'],
      additionalProperties: true,
      description:
        'A JSON Schema (2020-12) that the payload, or the data of a CloudEvent, must match, without regular expressions and references. Numbers are compared exactly, whatever their length. At most 400 values and 8 KiB. A filter that needs too much work for an event does not get it, and the subscription shows a `fault`. Default: any payload.',
      examples: [{ properties: { total: { minimum: 100 } }, required: ['total'] }],
    }),
  ),
};

const Replacement = Type.Object(fields, noUnknownKeys);
const NewSubscription = Type.Object({ endpointId: idSchema, ...fields }, noUnknownKeys);

const Fault = Type.Object(
  {
    code: Type.String({ examples: ['FILTER_TOO_COSTLY'] }),
    message: Type.String({ description: 'What happened, for people.' }),
    eventId: Type.String({
      description: 'The event. Others of the minute after it may be missing too.',
    }),
    at: momentSchema,
  },
  {
    title: 'SubscriptionFault',
    description:
      'Why an event was not delivered for this subscription, although it might match: its filter needs too much work. Other events are still matched. A change of the subscription removes the fault.',
  },
);

const View = Type.Object(
  {
    id: idSchema,
    endpointId: idSchema,
    eventName: fields.eventName,
    namespace: nullable(Type.String()),
    filter: fields.filter,
    fault: nullable(Fault),
    createdAt: momentSchema,
  },
  { title: 'Subscription' },
);

/** Adds `/v1/subscriptions`: the events that an endpoint gets. */
export function subscriptionRoutes(app: App, subscriptions: Subscriptions): void {
  // Numbers of filters keep their digits: they are stored and compared exactly.
  setJsonParser(app, parseJsonWithDigits);
  addCreate(app, subscriptions);
  addList(app, subscriptions);
  addOne(app, subscriptions);
}

function addCreate(app: App, subscriptions: Subscriptions): void {
  app.post(
    path,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'subscription.created', target: 'subscription' },
        errors: ['REQUEST_INVALID', 'ENDPOINT_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'createSubscription',
        summary: 'Subscribe an endpoint to events',
        description:
          'Applies to events that are published from now on. An endpoint gets an event once, even if several of its subscriptions match. Events of the audit log (`audit.*`) need the scope audit:read too.',
        body: NewSubscription,
        response: { 201: View },
      },
    },
    async (request, reply) => {
      const { body, applications } = request;
      if (isAuditPattern(body.eventName)) requireAuditScope(request);
      const subscription = await subscriptions.create(body, applications);
      setEntityTag(reply, subscription.version);
      return reply
        .code(201)
        .header('location', `${path}/${subscription.id}`)
        .send(toSubscriptionView(subscription));
    },
  );
}

function addList(app: App, subscriptions: Subscriptions): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listSubscriptions',
        summary: 'List subscriptions, newest first',
        querystring: listQuery(maxSubscriptionsPerPage, {
          application: applicationFilter,
          endpointId: Type.Optional({
            ...idSchema,
            description: 'Only subscriptions of this endpoint.',
          }),
        }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { endpointId, limit, cursor }, applications: within }) => {
      const page = await subscriptions.list({ endpointId, within }, { limit, cursor });
      return toPageView(page, toSubscriptionView);
    },
  );
}

function addOne(app: App, subscriptions: Subscriptions): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'endpoints:read', application: 'owner', errors: ['SUBSCRIPTION_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getSubscription',
        summary: 'Get a subscription',
        params: idParams,
        response: { 200: View },
      },
    },
    async ({ params, applications }, reply) => {
      const subscription = await subscriptions.get(params.id, applications);
      setEntityTag(reply, subscription.version);
      return toSubscriptionView(subscription);
    },
  );
  app.put(
    `${path}/:id`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'subscription.updated', target: 'subscription' },
        errors: ['SUBSCRIPTION_NOT_FOUND', 'REQUEST_INVALID', 'PRECONDITION_FAILED'],
      },
      schema: {
        tags,
        operationId: 'replaceSubscription',
        summary: 'Replace the filters of a subscription',
        description:
          'Removes its fault. Events of the audit log (`audit.*`) need the scope audit:read too.',
        params: idParams,
        headers: ifMatchHeaders,
        body: Replacement,
        response: { 200: View },
      },
    },
    async (request, reply) => {
      const { params, body, headers, applications: within } = request;
      if (isAuditPattern(body.eventName)) requireAuditScope(request);
      const condition = { within, ifMatch: readIfMatch(headers) };
      const subscription = await subscriptions.update(params.id, body, condition);
      setEntityTag(reply, subscription.version);
      return toSubscriptionView(subscription);
    },
  );
  app.delete(
    `${path}/:id`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'subscription.deleted', target: 'subscription' },
        errors: ['SUBSCRIPTION_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'deleteSubscription',
        summary: 'Remove a subscription',
        description: 'Callbacks that exist already are still delivered.',
        params: idParams,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async ({ params, applications }, reply) => {
      await subscriptions.remove(params.id, applications);
      return reply.code(204).send(null);
    },
  );
}

function toSubscriptionView({ version: _, ...subscription }: Subscription): Static<typeof View> {
  return {
    ...subscription,
    namespace: subscription.namespace ?? null,
    filter: subscription.filter ? { ...subscription.filter } : null,
    fault: subscription.fault
      ? { ...subscription.fault, at: subscription.fault.at.toISOString() }
      : null,
    createdAt: subscription.createdAt.toISOString(),
  };
}
