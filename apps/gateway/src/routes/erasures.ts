import { type Erasure, getErasure, insertErasure, listErasures } from '@posthaste/access';
import { type FieldFault, requestInvalid } from '@posthaste/callbacks';
import {
  type Applications,
  type ErasureSelection,
  isJsonPointer,
  parseId,
} from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import { type Static, type TUnsafe, Type } from 'typebox';
import type { App } from '../app.js';
import {
  idParams,
  idSchema,
  momentSchema,
  noUnknownKeys,
  nullable,
} from './schemas/field-schemas.js';
import { listQuery, pageSchema } from './schemas/pages.js';

const tags = ['Erasures'];
const path = '/v1/erasures';
const maxErasuresPerPage = 500;
const maxTextLength = 1_024;

const noNul = '^[^\\u0000]*$';

const NewErasure = Type.Object(
  {
    application: Type.Optional(
      Type.String({
        maxLength: 256,
        pattern: noNul,
        description: 'Only payloads of this application. Default: of all that the caller may see.',
        examples: ['shop'],
      }),
    ),
    endpointId: Type.Optional({
      ...idSchema,
      description: 'Only callbacks to this endpoint. Records of the log belong to no endpoint.',
    }),
    key: Type.Optional(
      Type.String({
        maxLength: maxTextLength,
        pattern: noNul,
        description:
          'Only events with this key, and callbacks of the queue of this name or of the queues that order events by this key.',
      }),
    ),
    pointer: Type.Optional(
      Type.String({
        maxLength: maxTextLength,
        pattern: noNul,
        description:
          'JSON Pointer (RFC 6901) to the identifier of a person, in bodies and answers, and in the `payload` or `data` of events. A token that is no index is looked up in each element of a list. Needs `value`.',
        examples: ['/customer/email'],
      }),
    ),
    value: Type.Optional(
      Type.Unsafe<string | number>({
        type: ['string', 'number'],
        maxLength: maxTextLength,
        description:
          'Value that the identifier has. Text is compared in the form NFC of Unicode; a number equals the text of its digits. Write numbers beyond 2^53 as text.',
        examples: ['ada@example.com'],
      }),
    ),
    undelivered: Type.Optional(
      Type.Enum(['cancel', 'keep'], {
        type: 'string',
        default: 'cancel',
        description:
          'What becomes of callbacks that match and are not delivered yet. `cancel`: they are cancelled and erased; an attempt under way is the last one. `keep`: they are left with their payload, and counted.',
      }),
    ),
  },
  {
    ...noUnknownKeys,
    title: 'NewErasure',
    description:
      'At least one of application, endpointId, key, and pointer with value. All must match.',
    examples: [{ application: 'shop', pointer: '/customer/email', value: 'ada@example.com' }],
  },
);

/** Erasure as the API shows it. What does not apply is null. */
export interface ErasureView
  extends Pick<
    Erasure,
    'id' | 'kind' | 'state' | 'stage' | 'scanned' | 'erased' | 'kept' | 'error' | 'requestedBy'
  > {
  readonly applications: string[] | null;
  readonly endpointId: string | null;
  readonly keyHash: string | null;
  readonly pointer: string | null;
  readonly valueHash: string | null;
  readonly undelivered: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly endedAt: string | null;
}

const View = Type.Object(
  {
    id: idSchema,
    kind: Type.Enum(['application', 'payloads'], {
      type: 'string',
      description: '`application`: an application is removed with everything it has.',
    }),
    applications: Type.Unsafe<string[] | null>({
      type: ['array', 'null'],
      items: { type: 'string' },
      description: 'Applications that it is about; null for all.',
    }),
    endpointId: nullable(idSchema),
    keyHash: nullable(
      Type.String({
        description: 'SHA-256 of the id of the erasure, a line feed and the key, in hexadecimal.',
      }),
    ),
    pointer: nullable(Type.String()),
    valueHash: nullable(Type.String({ description: 'As `keyHash`, of the value.' })),
    undelivered: nullable(Type.String()),
    state: Type.Enum(['running', 'done'], { type: 'string' }),
    stage: Type.String({ description: 'Part of the work that is being done.' }),
    scanned: Type.Integer({ description: 'Rows that were looked at.' }),
    erased: Type.Integer({ description: 'Callbacks, records and settings that were erased.' }),
    kept: Type.Integer({ description: 'Callbacks that match and were left undelivered.' }),
    error: nullable(
      Type.String({ description: 'Reason of the last step that failed. It is tried again.' }),
    ),
    requestedBy: Type.String({ description: 'Name of the caller that asked for it.' }),
    createdAt: momentSchema,
    updatedAt: momentSchema,
    endedAt: nullable(momentSchema),
  },
  { title: 'Erasure' },
);

export const erasureSchema: TUnsafe<ErasureView> = Type.Unsafe<ErasureView>(View);

/**
 * Adds `/v1/erasures`: erase payloads, and see what was erased. Workers do the work, step by step.
 */
export function erasureRoutes(app: App, db: Database): void {
  addCreate(app, db);
  addList(app, db);
  addGet(app, db);
}

function addCreate(app: App, db: Database): void {
  app.post(
    path,
    {
      config: {
        scope: 'admin',
        application: 'caller',
        audit: { action: 'erasure.created', target: 'erasure' },
        errors: ['REQUEST_INVALID', 'APPLICATION_FORBIDDEN'],
      },
      schema: {
        tags,
        operationId: 'createErasure',
        summary: 'Erase payloads',
        description:
          'Erases bodies, headers and queries of callbacks, the answers of receivers, and records of the log and of dead letters, in the background. That it was done stays on record, without the identifier. Copies that Kafka has are not erased.',
        body: NewErasure,
        response: { 202: erasureSchema },
      },
    },
    async (request, reply) => {
      const { body, caller } = request;
      // Resolved here and not by `named`: without a name, all that the caller may see are meant.
      const applications: Applications =
        body.application === undefined
          ? request.applications
          : [request.applicationFor(body.application)];
      const selection = toSelection(body, applications);
      const erasure = await insertErasure(db, {
        kind: 'payloads',
        selection,
        requestedBy: caller.name,
      });
      if (!erasure) throw new Error('the insert of an erasure returned no row');
      return reply
        .code(202)
        .header('location', `${path}/${erasure.id}`)
        .send(toErasureView(erasure));
    },
  );
}

function addList(app: App, db: Database): void {
  app.get(
    path,
    {
      config: { scope: 'admin', application: 'caller', errors: ['REQUEST_INVALID'] },
      schema: {
        tags,
        operationId: 'listErasures',
        summary: 'List erasures, newest first',
        description: 'Those whose applications the caller may all see.',
        querystring: listQuery(maxErasuresPerPage, {}),
        response: { 200: pageSchema(erasureSchema) },
      },
    },
    async ({ query: { limit = 50, cursor }, applications }) => {
      const before = cursor === undefined ? undefined : parseCursor(cursor);
      const found = await listErasures(db, { within: applications, before, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      return { items: items.map(toErasureView), next: last?.id ?? null };
    },
  );
}

function addGet(app: App, db: Database): void {
  app.get(
    `${path}/:id`,
    {
      config: { scope: 'admin', application: 'owner', errors: ['ERASURE_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getErasure',
        summary: 'Get an erasure with its progress',
        params: idParams,
        response: { 200: erasureSchema },
      },
    },
    async ({ params, applications }) =>
      toErasureView(await getErasure(db, params.id, applications)),
  );
}

function toSelection(
  body: Static<typeof NewErasure>,
  applications: Applications,
): ErasureSelection {
  const { application, endpointId, key, pointer, value, undelivered = 'cancel' } = body;
  const faults: FieldFault[] = [];
  if ([application, endpointId, key, pointer, value].every((each) => each === undefined)) {
    const message = 'must have application, endpointId, key, or pointer with value';
    faults.push({ field: 'body', message });
  }
  if (endpointId !== undefined && parseId(endpointId) === undefined) {
    faults.push({ field: 'endpointId', message: 'is not an id' });
  }
  if (pointer !== undefined && !isJsonPointer(pointer)) {
    const message = 'must be a JSON Pointer of one token or more, such as /customer/email';
    faults.push({ field: 'pointer', message });
  }
  if (pointer === undefined && value !== undefined) {
    faults.push({ field: 'pointer', message: 'is required with value' });
  }
  if (pointer !== undefined && value === undefined) {
    faults.push({ field: 'value', message: 'is required with pointer' });
  }
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    faults.push({ field: 'value', message: 'is beyond 2^53: write it as text' });
  }
  if (faults.length > 0) throw requestInvalid(faults);
  const identifier = pointer === undefined || value === undefined ? undefined : { pointer, value };
  return {
    applications,
    endpointId: endpointId && parseId(endpointId),
    key,
    identifier,
    undelivered,
  };
}

/** Converts an erasure to its view. */
export function toErasureView(erasure: Erasure): ErasureView {
  const { target, applications, createdAt, updatedAt, endedAt, ...rest } = erasure;
  return {
    ...rest,
    applications: applications === 'all' ? null : [...applications],
    endpointId: target.endpointId ?? null,
    keyHash: target.keyHash ?? null,
    pointer: target.pointer ?? null,
    valueHash: target.valueHash ?? null,
    undelivered: target.undelivered ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  };
}

/** @throws PlatformError `REQUEST_INVALID` */
function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== undefined) return id;
  throw requestInvalid([{ field: 'query.cursor', message: 'must be `next` of a page' }]);
}
