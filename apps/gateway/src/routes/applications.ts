import type { ApplicationChange, ApplicationPage, ApplicationRegistry } from '@posthaste/access';
import { requestInvalid } from '@posthaste/callbacks';
import { type Static, type TInteger, Type } from 'typebox';
import type { App } from '../app.js';
import {
  type ApplicationProgress,
  applicationName,
  applicationSchema,
  limitFields,
  toApplicationView,
  toApplicationViews,
} from './application-view.js';
import { noUnknownKeys, nullable } from './schemas/field-schemas.js';
import { refuseNulInQuery } from './schemas/nul-free.js';
import { listQuery, pageSchema } from './schemas/pages.js';

const tags = ['Applications'];
const path = '/v1/applications';
const maxApplicationsPerPage = 500;

/**
 * Query that names one application. It is not in the path, because a name may be empty or any text,
 * such as `..` and `a/b`, which clients and proxies would change in a path.
 */
const ApplicationQuery = Type.Object({ application: applicationName }, noUnknownKeys);

const settingFields = {
  limits: Type.Optional(
    Type.Partial(Type.Object(limitFields), {
      ...noUnknownKeys,
      description: 'Limits to set; null removes one. The others stay as they are.',
    }),
  ),
  retentionMs: Type.Optional(
    nullable<TInteger>(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'Time for which finished callbacks are kept, in ms. Null: as long as the installation keeps them.',
      }),
    ),
  ),
};

const NewApplication = Type.Object(
  { application: applicationName, ...settingFields },
  noUnknownKeys,
);

const ChangedApplication = Type.Object(settingFields, noUnknownKeys);

/** Methods of `ApplicationRegistry` that these routes use. */
export type ApplicationAdmin = Pick<ApplicationRegistry, 'create' | 'get' | 'list' | 'change'> &
  ApplicationProgress;

/** Adds `/v1/applications`: create, list, show and change applications. */
export function applicationRoutes(app: App, registry: ApplicationAdmin): void {
  refuseNulInQuery(app);
  addCreate(app, registry);
  addList(app, registry);
  addDetails(app, registry);
  addChange(app, registry);
}

function addCreate(app: App, registry: ApplicationAdmin): void {
  app.post(
    path,
    {
      config: {
        scope: 'admin',
        application: 'all',
        audit: { action: 'application.created', target: 'application' },
        errors: ['REQUEST_INVALID', 'APPLICATION_EXISTS', 'APPLICATION_DELETING'],
      },
      schema: {
        tags,
        operationId: 'createApplication',
        summary: 'Create an application',
        description:
          'A caller for all applications also creates one by naming it for the first time, without limits of its own.',
        body: NewApplication,
        response: { 201: applicationSchema },
      },
    },
    async ({ body: { application, ...settings } }, reply) => {
      const created = await registry.create(application, toChange(settings));
      return reply.code(201).send(await toApplicationView(registry, created));
    },
  );
}

function addList(app: App, registry: ApplicationAdmin): void {
  app.get(
    path,
    {
      config: { scope: 'admin', application: 'caller', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listApplications',
        summary: 'List applications by name',
        description: 'Those of the caller. Those of a caller for all are all.',
        querystring: listQuery(maxApplicationsPerPage, {}),
        response: { 200: pageSchema(applicationSchema) },
      },
    },
    async ({ query: { limit = 50, cursor }, applications }) => {
      const page: ApplicationPage = { limit: limit + 1, after: cursor && parseCursor(cursor) };
      const found = await registry.list(applications, page);
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      return {
        items: await toApplicationViews(registry, items),
        next: last ? toCursor(last.name) : null,
      };
    },
  );
}

function addDetails(app: App, registry: ApplicationAdmin): void {
  app.get(
    `${path}/details`,
    {
      config: {
        scope: 'admin',
        application: 'named',
        whileDeleting: true,
        errors: ['APPLICATION_NOT_FOUND'],
      },
      schema: {
        tags,
        operationId: 'getApplication',
        summary: 'Get an application',
        querystring: ApplicationQuery,
        response: { 200: applicationSchema },
      },
    },
    async ({ application }) => toApplicationView(registry, await registry.get(application)),
  );
}

function addChange(app: App, registry: ApplicationAdmin): void {
  app.patch(
    path,
    {
      config: {
        scope: 'admin',
        application: 'all',
        audit: { action: 'application.updated', target: 'application' },
        errors: ['REQUEST_INVALID', 'APPLICATION_NOT_FOUND', 'APPLICATION_DELETING'],
      },
      schema: {
        tags,
        operationId: 'changeApplication',
        summary: 'Change limits or retention of an application',
        querystring: ApplicationQuery,
        body: ChangedApplication,
        response: { 200: applicationSchema },
      },
    },
    async ({ query, body }) =>
      toApplicationView(registry, await registry.change(query.application, toChange(body))),
  );
}

function toChange({ limits, retentionMs }: Static<typeof ChangedApplication>): ApplicationChange {
  return { limits, retentionMs };
}

/** Returns the cursor after an application. Not empty, although a name may be. */
function toCursor(application: string): string {
  return Buffer.from(JSON.stringify(application)).toString('base64url');
}

/** @throws PlatformError `REQUEST_INVALID` */
function parseCursor(cursor: string): string {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (typeof value === 'string' && !value.includes('\0')) return value;
  } catch {
    // Not JSON: reported like any other text that is not a cursor.
  }
  throw requestInvalid([{ field: 'query.cursor', message: 'must be `next` of a page' }]);
}
