import { type AuditEntry, listAuditEntries, toAuditJson } from '@posthaste/access';
import { requestInvalid } from '@posthaste/callbacks';
import type { JsonObject } from '@posthaste/contracts';
import type { Queryable } from '@posthaste/postgres';
import { Type } from 'typebox';
import type { App } from '../app.js';
import {
  applicationFilter,
  freeForm,
  idSchema,
  momentSchema,
  nullable,
} from './schemas/field-schemas.js';
import { refuseNulInQuery } from './schemas/nul-free.js';
import { listQuery, pageSchema } from './schemas/pages.js';

const tags = ['Audit log'];
const maxEntriesPerPage = 500;

const ActorKind = Type.Enum(['key', 'person', 'token', 'local', 'command', 'platform'], {
  type: 'string',
  description:
    '`key`, `person`, `token`: a caller with this credential. `local`: a caller on the same machine, on a server that needs none. `command`: a command that writes to the database itself. `platform`: Posthaste itself.',
});

const State = nullable(
  Type.Object(
    {},
    {
      ...freeForm,
      description:
        'As the API shows it, with `***` for secrets: headers, tokens, keys, and the query of URLs.',
    },
  ),
);

const Entry = Type.Object(
  {
    id: idSchema,
    time: momentSchema,
    application: nullable(
      Type.String({ description: 'Null for what belongs to none, such as API keys.' }),
    ),
    actor: Type.Object({
      kind: ActorKind,
      id: Type.String({ description: 'Id of the key, person or token; `user@host` of a command.' }),
      name: Type.String(),
    }),
    action: Type.String({ examples: ['endpoint.updated'] }),
    target: Type.Object({ kind: Type.String(), id: Type.String(), name: Type.String() }),
    before: { ...State, description: 'State that the change replaced; null if it created it.' },
    after: { ...State, description: 'State after the change; null if it removed it.' },
    changed: Type.Array(Type.String(), {
      description: 'JSON Pointers of the members that differ, also of those that are masked.',
    }),
    from: Type.Object({
      address: nullable(Type.String({ description: 'Address of the client.' })),
      userAgent: nullable(Type.String()),
      requestId: nullable(Type.String({ description: 'Id that log lines of the request have.' })),
    }),
    note: nullable(Type.String()),
  },
  { title: 'AuditEntry' },
);

const Filter = Type.String({ maxLength: 512 });

const ListQuery = listQuery(maxEntriesPerPage, {
  application: applicationFilter,
  actor: Type.Optional({ ...Filter, description: 'Id or name of who made the change.' }),
  actorKind: Type.Optional(ActorKind),
  action: Type.Optional({
    ...Filter,
    description: 'Pattern: `*` matches one segment between dots, `**` at the end one or more.',
    examples: ['endpoint.*'],
  }),
  target: Type.Optional({ ...Filter, description: 'Id or name of what was changed.' }),
  targetKind: Type.Optional({ ...Filter, examples: ['endpoint'] }),
  since: Type.Optional({ ...momentSchema, description: 'Earliest time.' }),
  until: Type.Optional({ ...momentSchema, description: 'Time after the latest.' }),
});

/** Adds `/v1/audit`: who changed what. */
export function auditRoutes(app: App, db: Queryable): void {
  refuseNulInQuery(app);
  app.get(
    '/v1/audit',
    {
      config: { scope: 'audit:read', application: 'filter', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listAuditEntries',
        summary: 'List changes, newest first',
        description:
          'Every change by callers, commands and the platform itself that was committed; refused requests are none. Callers of some applications see the changes in these. Each page reads a limited number of entries, so with a filter that matches few, a page may be short or empty while more pages follow.',
        querystring: ListQuery,
        response: { 200: pageSchema(Entry) },
      },
    },
    async ({ query, applications: within }) => {
      const { application: _, limit = 50, since, until, ...filter } = query;
      const page = await listAuditEntries(db, {
        ...filter,
        within,
        limit,
        since: toTime('since', since),
        until: toTime('until', until),
      });
      return { items: page.items.map(toView), next: page.next ?? null };
    },
  );
}

/** Parses a time. Refuses what RFC 3339 allows but `Date` does not: leap seconds and the year 0. */
function toTime(field: string, moment: string | undefined): Date | undefined {
  if (moment === undefined) return undefined;
  const time = new Date(moment);
  if (time.getTime() > 0) return time;
  throw requestInvalid([{ field, message: 'must be a time after 1970' }]);
}

/** Typed as any JSON: the schema of the route describes it. */
function toView(entry: AuditEntry): never {
  return toAuditJson(entry) satisfies JsonObject as never;
}
