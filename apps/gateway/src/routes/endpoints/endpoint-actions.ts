import {
  type CallbackEventSink,
  disableEndpointAndEmit,
  type EventFanout,
  enableEndpoint,
  endpointSecretName,
  pauseEndpoint,
  resumeEndpoint,
  type Secrets,
} from '@posthaste/callbacks';
import type { Endpoints } from '@posthaste/callbacks/management';
import type { Applications } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { pastOf } from '../../audit/audited-route.js';
import { hopsOf } from '../../http/hops.js';
import { setEntityTag } from '../schemas/entity-tag.js';
import { idParams, idSchema, noUnknownKeys, nullable } from '../schemas/field-schemas.js';
import { endpointSchema, toEndpointView } from './endpoint-view.js';
import {
  newVersionSchema,
  rotationSchema,
  toNewVersionView,
  toVersionViews,
  versionsSchema,
} from './secret-schemas.js';

export interface EndpointActionsDeps {
  readonly db: Database;
  readonly endpoints: Endpoints;
  readonly secrets: Secrets;
  readonly fanout: Pick<EventFanout, 'testEvent'>;
  readonly events: CallbackEventSink;
}

const tags = ['Endpoints'];
const path = '/v1/endpoints/:id';
/** Reason of a disabled endpoint when the caller gives none. */
const defaultReason = 'by request';

const Reason = nullable(
  Type.Object(
    {
      reason: Type.Optional(
        Type.String({ maxLength: 512, description: 'Reason, shown as `stateReason`.' }),
      ),
    },
    noUnknownKeys,
  ),
);

type ChangeDeps = Pick<EndpointActionsDeps, 'db' | 'events'>;

/** Endpoint whose state changes. */
interface StateChange {
  readonly id: string;
  readonly within: Applications;
  readonly reason?: string | undefined;
}

const stateChanges = [
  {
    name: 'pause',
    change: ({ db }: ChangeDeps, { id, ...options }: StateChange) => pauseEndpoint(db, id, options),
    summary: 'Pause an endpoint',
    description: 'Running attempts are finished. Other callbacks to it wait.',
  },
  {
    name: 'resume',
    change: ({ db }: ChangeDeps, { id, within }: StateChange) => resumeEndpoint(db, id, { within }),
    summary: 'Resume a paused endpoint',
    description: 'Callbacks that wait for it are delivered.',
  },
  {
    name: 'disable',
    change: ({ db, events }: ChangeDeps, { id, within, reason = defaultReason }: StateChange) =>
      disableEndpointAndEmit(db, id, { within, reason, events }),
    summary: 'Disable an endpoint',
    description: 'As if its receiver had answered 410. Callbacks to it wait.',
  },
  {
    name: 'enable',
    change: ({ db }: ChangeDeps, { id, within }: StateChange) => enableEndpoint(db, id, { within }),
    summary: 'Enable a disabled endpoint',
    description: 'Callbacks that wait for it are delivered.',
  },
] as const;

/** Adds the actions on an endpoint: change its state, send a test event, rotate its secret. */
export function endpointActionRoutes(app: App, deps: EndpointActionsDeps): void {
  addStateChanges(app, deps);
  addTest(app, deps);
  addSecrets(app, deps);
}

function addStateChanges(app: App, { db, events, endpoints }: EndpointActionsDeps): void {
  for (const { name, change, summary, description } of stateChanges) {
    app.post(
      `${path}/${name}`,
      {
        config: {
          scope: 'endpoints:write',
          application: 'owner',
          audit: { action: `endpoint.${pastOf(name)}`, target: 'endpoint' },
          errors: ['ENDPOINT_NOT_FOUND', 'ENDPOINT_STATE'],
        },
        schema: {
          tags,
          operationId: `${name}Endpoint`,
          summary,
          description,
          params: idParams,
          body: Reason,
          response: { 200: endpointSchema },
        },
      },
      async ({ params: { id }, body, applications: within }, reply) => {
        await change({ db, events }, { id, within, reason: body?.reason });
        const endpoint = await endpoints.get(id, within);
        setEntityTag(reply, endpoint.version);
        return toEndpointView(endpoint);
      },
    );
  }
}

function addTest(app: App, { fanout }: EndpointActionsDeps): void {
  app.post(
    `${path}/test`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: 'none',
        counts: 'deliveries',
        errors: ['ENDPOINT_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'testEndpoint',
        summary: 'Send an endpoint a test event',
        description:
          'The event is named `posthaste.test`. It is sent whatever the subscriptions, and in no queue.',
        params: idParams,
        response: {
          201: Type.Object({
            callbackId: {
              ...idSchema,
              description:
                'The callback of the event; `GET /v1/callbacks/{id}` shows its progress.',
            },
          }),
        },
      },
    },
    async (request, reply) => {
      const options = { within: request.applications, hops: hopsOf(request) };
      const callbackId = await fanout.testEvent(request.params.id, options);
      return reply.code(201).header('location', `/v1/callbacks/${callbackId}`).send({ callbackId });
    },
  );
}

function addSecrets(app: App, { endpoints, secrets }: EndpointActionsDeps): void {
  const keyOf = async (id: string, within: Applications) => {
    const endpoint = await endpoints.get(id, within);
    return { application: endpoint.application, name: endpointSecretName(endpoint.id) };
  };
  app.get(
    `${path}/secrets`,
    {
      config: { scope: 'endpoints:read', application: 'owner', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'listEndpointSecrets',
        summary: 'List the versions of the secret of an endpoint',
        params: idParams,
        response: { 200: Type.Object({ versions: versionsSchema }) },
      },
    },
    async ({ params, applications }) => {
      const key = await keyOf(params.id, applications);
      return { versions: toVersionViews(await secrets.get(key)) };
    },
  );
  app.post(
    `${path}/secrets`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'owner',
        audit: { action: 'endpoint.secret-rotated', target: 'endpoint-secret' },
        errors: ['ENDPOINT_NOT_FOUND', 'SECRET_INVALID'],
      },
      schema: {
        tags,
        operationId: 'rotateEndpointSecret',
        summary: 'Rotate the secret of an endpoint',
        description: 'Adds a version. Earlier versions sign too, until the grace time is over.',
        params: idParams,
        body: rotationSchema,
        response: { 201: newVersionSchema },
      },
    },
    async ({ params, body, applications }, reply) => {
      const key = await keyOf(params.id, applications);
      const rotated = await secrets.rotate({ ...body, ...key });
      return reply.code(201).send(toNewVersionView(rotated));
    },
  );
}
