import { type Erasure, findRemovals, startRemoval } from '@posthaste/access';
import { awaitClaims, stopDeliveries } from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { Type } from 'typebox';
import type { App } from '../app.js';
import { erasureSchema, toErasureView } from './erasures.js';
import { noUnknownKeys } from './schemas/field-schemas.js';

const RemovalQuery = Type.Object(
  {
    application: Type.String({
      maxLength: 256,
      pattern: '^[^\\u0000]*$',
      description: 'Name of the application. The empty text is one.',
      examples: ['shop'],
    }),
  },
  noUnknownKeys,
);

/** Adds `DELETE /v1/applications`. Workers do the work, step by step. */
export function applicationRemovalRoutes(app: App, db: Database): void {
  app.delete(
    '/v1/applications',
    {
      config: {
        scope: 'admin',
        application: 'all',
        audit: { action: 'application.deleted', target: 'application' },
        errors: ['REQUEST_INVALID', 'APPLICATION_NOT_FOUND'],
      },
      schema: {
        tags: ['Applications'],
        operationId: 'deleteApplication',
        summary: 'Delete an application with everything it has',
        description:
          'From the answer on, nothing of it is sent or accepted, and keys, sessions and tokens of only this application end; attempts under way end. Callbacks, endpoints, subscriptions, secrets, records and the rest are removed in the background: the answer is the erasure that does it. When it is done, the name is free again. Deleting it again meanwhile answers the same erasure.',
        querystring: RemovalQuery,
        response: { 202: erasureSchema },
      },
    },
    async ({ query: { application }, caller }, reply) => {
      const erasure = await removeApplication(db, application, caller.name);
      return reply
        .code(202)
        .header('location', `/v1/erasures/${erasure.id}`)
        .send(toErasureView(erasure));
    },
  );
}

async function removeApplication(
  db: Database,
  name: string,
  requestedBy: string,
): Promise<Erasure> {
  const started = await db.transaction(async (tx) => {
    const removal = await startRemoval(tx, { name, requestedBy });
    // Not by the second of two requests: the first may end, and the name be free, at this moment.
    if (removal) await stopDeliveries(tx, name);
    return removal;
  });
  // Also for the second of two requests: its answer promises the same.
  await awaitClaims(db);
  const erasure = started ?? (await findRemovals(db, [name])).get(name);
  if (erasure) return erasure;
  // It was removed between the two statements.
  throw new PlatformError('APPLICATION_NOT_FOUND', `there is no application '${name}'`);
}
