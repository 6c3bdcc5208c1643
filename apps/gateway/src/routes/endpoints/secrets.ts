import type { Secrets, SecretView } from '@posthaste/callbacks';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import {
  applicationField,
  applicationFilter,
  configuredNameSchema,
  noUnknownKeys,
} from '../schemas/field-schemas.js';
import { listQuery, pageSchema, toPageView } from '../schemas/pages.js';
import {
  newVersionSchema,
  ownSecretField,
  rotationSchema,
  secretKindField,
  toNewVersionView,
  toVersionViews,
  versionsSchema,
} from './secret-schemas.js';

const tags = ['Secrets'];
const path = '/v1/secrets';
const maxSecretsPerPage = 100;

const NameParams = Type.Object({ name: Type.String() });
const ApplicationQuery = Type.Object({ application: applicationField }, noUnknownKeys);

const NewSecret = Type.Object(
  {
    application: applicationField,
    name: configuredNameSchema,
    secret: ownSecretField,
    kind: secretKindField,
  },
  { ...noUnknownKeys, examples: [{ application: 'shop', name: 'orders' }] },
);

const nameFields = { application: Type.String(), name: Type.String() };
const View = Type.Object({ ...nameFields, versions: versionsSchema }, { title: 'Secret' });
const Created = Type.Object({ ...nameFields, latest: newVersionSchema }, { title: 'NewSecret' });

/** Adds `/v1/secrets`: secrets with which applications sign their callbacks. */
export function secretRoutes(app: App, secrets: Secrets): void {
  addCreate(app, secrets);
  addList(app, secrets);
  addOne(app, secrets);
  addRotate(app, secrets);
}

function addCreate(app: App, secrets: Secrets): void {
  app.post(
    path,
    {
      config: {
        scope: 'endpoints:write',
        application: 'named',
        audit: { action: 'secret.created', target: 'secret' },
        errors: ['REQUEST_INVALID', 'SECRET_INVALID', 'SECRET_EXISTS'],
      },
      schema: {
        tags,
        operationId: 'createSecret',
        summary: 'Create a signing secret',
        description:
          'The secret is given or generated. Callbacks of the application refer to it by `secret`.',
        body: NewSecret,
        response: { 201: Created },
      },
    },
    async ({ body, application }, reply) => {
      const { name } = body;
      const created = await secrets.create({ ...body, application });
      return reply.code(201).send({ application, name, latest: toNewVersionView(created) });
    },
  );
}

function addList(app: App, secrets: Secrets): void {
  app.get(
    path,
    {
      config: { scope: 'endpoints:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listSecrets',
        summary: 'List signing secrets, by application and name',
        description: 'Without the secrets themselves, and without those of endpoints.',
        querystring: listQuery(maxSecretsPerPage, { application: applicationFilter }),
        response: { 200: pageSchema(View) },
      },
    },
    async ({ query: { limit, cursor }, applications: within }) =>
      toPageView(await secrets.list({ within }, { limit, cursor }), toSecretView),
  );
}

function addOne(app: App, secrets: Secrets): void {
  const request = { params: NameParams, querystring: ApplicationQuery };
  app.get(
    `${path}/:name`,
    {
      config: { scope: 'endpoints:read', application: 'named', errors: ['SECRET_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getSecret',
        summary: 'Get a signing secret',
        ...request,
        response: { 200: View },
      },
    },
    async ({ params: { name }, application }) =>
      toSecretView(await secrets.get({ application, name })),
  );
  app.delete(
    `${path}/:name`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'named',
        audit: { action: 'secret.deleted', target: 'secret' },
        errors: ['SECRET_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'deleteSecret',
        summary: 'Remove a signing secret',
        description: 'Further attempts of callbacks that refer to it fail.',
        ...request,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
    },
    async ({ params: { name }, application }, reply) => {
      await secrets.remove({ application, name });
      return reply.code(204).send(null);
    },
  );
}

function addRotate(app: App, secrets: Secrets): void {
  app.post(
    `${path}/:name/rotate`,
    {
      config: {
        scope: 'endpoints:write',
        application: 'named',
        audit: { action: 'secret.rotated', target: 'secret' },
        errors: ['SECRET_NOT_FOUND', 'SECRET_INVALID'],
      },
      schema: {
        tags,
        operationId: 'rotateSecret',
        summary: 'Rotate a signing secret',
        description: 'Adds a version. Earlier versions sign too, until the grace time is over.',
        params: NameParams,
        querystring: ApplicationQuery,
        body: rotationSchema,
        response: { 201: Created },
      },
    },
    async ({ params: { name }, application, body }, reply) => {
      const rotated = await secrets.rotate({ ...body, application, name });
      return reply.code(201).send({ application, name, latest: toNewVersionView(rotated) });
    },
  );
}

function toSecretView(secret: SecretView) {
  const { application, name } = secret;
  return { application, name, versions: toVersionViews(secret) };
}
