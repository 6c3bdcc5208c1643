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
import type { Database } from '@posthaste/postgres';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { idParams, idSchema, nullable, strict } from '../schemas/field-schemas.js';
import { endpointSchema, showEndpoint } from './endpoint-view.js';
import {
  newVersionSchema,
  rotationSchema,
  showNewVersion,
  showVersions,
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
const standardReason = 'by request';

const Reason = nullable(
  Type.Object(
    {
      reason: Type.Optional(
        Type.String({ maxLength: 512, description: 'Shown as `stateReason`.' }),
      ),
    },
    strict,
  ),
);

interface ChangeDeps {
  readonly db: Database;
  readonly events: CallbackEventSink;
}

const stateChanges = [
  {
    name: 'pause',
    change: ({ db }: ChangeDeps, id: string, reason?: string) => pauseEndpoint(db, id, reason),
    summary: 'Pause an endpoint',
    description: 'What is under way is finished; what is owed waits.',
  },
  {
    name: 'resume',
    change: ({ db }: ChangeDeps, id: string) => resumeEndpoint(db, id),
    summary: 'Let a paused endpoint go on',
    description: 'And what waits for it.',
  },
  {
    name: 'disable',
    change: ({ db, events }: ChangeDeps, id: string, reason = standardReason) =>
      disableEndpointAndEmit(db, id, { reason, events }),
    summary: 'Disable an endpoint',
    description: 'As when its receiver answers 410. What is owed waits.',
  },
  {
    name: 'enable',
    change: ({ db }: ChangeDeps, id: string) => enableEndpoint(db, id),
    summary: 'Make a disabled endpoint active',
    description: 'And let go what waits for it.',
  },
] as const;

/** What is done to an endpoint besides changing it: its state, its secret, a test. */
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
        config: { scope: 'endpoints:write', errors: ['ENDPOINT_NOT_FOUND', 'ENDPOINT_STATE'] },
        schema: {
          tags,
          summary,
          description,
          params: idParams,
          body: Reason,
          response: { 200: endpointSchema },
        },
      },
      async ({ params, body }) => {
        await change({ db, events }, params.id, body?.reason);
        return showEndpoint(await endpoints.get(params.id));
      },
    );
  }
}

function addTest(app: App, { fanout }: EndpointActionsDeps): void {
  app.post(
    `${path}/test`,
    {
      config: { scope: 'endpoints:write', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'Send an endpoint a test event',
        description: 'Named `posthaste.test`, whatever its subscriptions, in no queue.',
        params: idParams,
        response: {
          201: Type.Object({
            callbackId: { ...idSchema, description: 'What becomes of it: `/v1/callbacks/{id}`.' },
          }),
        },
      },
    },
    async ({ params }, reply) => {
      const callbackId = await fanout.testEvent(params.id);
      return reply.code(201).header('location', `/v1/callbacks/${callbackId}`).send({ callbackId });
    },
  );
}

function addSecrets(app: App, { endpoints, secrets }: EndpointActionsDeps): void {
  const keyOf = async (id: string) => {
    const endpoint = await endpoints.get(id);
    return { application: endpoint.application, name: endpointSecretName(endpoint.id) };
  };
  app.get(
    `${path}/secrets`,
    {
      config: { scope: 'endpoints:read', errors: ['ENDPOINT_NOT_FOUND'] },
      schema: {
        tags,
        summary: 'The versions of the secret of an endpoint',
        params: idParams,
        response: { 200: Type.Object({ versions: versionsSchema }) },
      },
    },
    async ({ params }) => ({ versions: showVersions(await secrets.get(await keyOf(params.id))) }),
  );
  app.post(
    `${path}/secrets`,
    {
      config: { scope: 'endpoints:write', errors: ['ENDPOINT_NOT_FOUND', 'SECRET_INVALID'] },
      schema: {
        tags,
        summary: 'Rotate the secret of an endpoint',
        description: 'Adds a version. Those before it sign beside it until the grace time is over.',
        params: idParams,
        body: rotationSchema,
        response: { 201: newVersionSchema },
      },
    },
    async ({ params, body }, reply) => {
      const rotated = await secrets.rotate({ ...body, ...(await keyOf(params.id)) });
      return reply.code(201).send(showNewVersion(rotated));
    },
  );
}
