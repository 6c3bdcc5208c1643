import {
  type Acceptance,
  findCallback,
  newCompatibleStatus,
  parseCompatibleRequest,
  toCompatibleError,
  toCompatibleStatus,
} from '@posthaste/callbacks';
import { PlatformError } from '@posthaste/contracts';
import type { Database } from '@posthaste/postgres';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { App } from '../../app.js';
import { hopsOf } from '../../http/hops.js';
import { setJsonParser } from '../../http/json-body.js';
import { idSchema, momentSchema, nullable } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed, readIdempotencyClaim } from '../schemas/idempotency.js';
import { isRecipientTrusted, notificationEmailDescription } from './mail-recipients.js';

export interface CompatibleRoutesDeps {
  readonly db: Database;
  readonly acceptance: Acceptance;
}

const contentType = 'application/json; charset=UTF-8';
const tags = ['Compatible API'];

const Headers = Type.Object({}, { additionalProperties: Type.String() });

const Request = Type.Object(
  {
    url: Type.String({
      description: 'Absolute URL with http or https.',
      examples: ['https://example.com/hooks/orders'],
    }),
    method: Type.Optional(
      Type.String({ description: '`GET`, `POST` or `PUT`. Default `GET`.', examples: ['POST'] }),
    ),
    postdata: Type.Optional(
      nullable(
        Type.Object({
          headers: Type.Optional(nullable(Headers)),
          data: Type.Optional(
            nullable(
              Type.String({
                description:
                  'The body, as standard base64 with padding; sent with POST and PUT only. Null means no body, `""` an empty one.',
                examples: ['eyJvcmRlciI6NDcxMX0='],
              }),
            ),
          ),
        }),
      ),
    ),
    retryphases: Type.Optional(
      Type.Unsafe({
        ...Type.Array(
          Type.Object({
            retries: Type.Integer({ minimum: 0, maximum: 100_000 }),
            delay: Type.Integer({
              minimum: 0,
              description:
                'Wait before each attempt of the phase, in nanoseconds; exact beyond 2^53 too.',
              examples: [300_000_000_000],
            }),
          }),
          {
            maxItems: 100,
            description: 'Phases run one after another. Without any: one attempt, no retries.',
          },
        ),
        type: ['array', 'null'],
      }),
    ),
    applicationid: Type.Optional(
      nullable(
        Type.String({
          maxLength: 256,
          description:
            'Application that it belongs to. Empty: the one of the API key; without a key, or with one for all, POSTHASTE_DEFAULT_APPLICATION. Another one than those of the key is refused with 403.',
        }),
      ),
    ),
    queueid: Type.Optional(
      nullable(
        Type.String({
          maxLength: 256,
          description:
            'Callbacks of one queue are delivered strictly one after another. Empty: no queue, no order.',
        }),
      ),
    ),
    notificationemailaddress: Type.Optional(
      nullable(Type.String({ description: notificationEmailDescription })),
    ),
  },
  {
    title: 'CompatibleRequest',
    description: 'Keys are matched without regard to case; unknown keys are ignored.',
    examples: [
      {
        url: 'https://example.com/hooks/orders',
        method: 'POST',
        postdata: { headers: { 'x-shop': 'berlin' }, data: 'eyJvcmRlciI6NDcxMX0=' },
        retryphases: [{ retries: 3, delay: 300_000_000_000 }],
        applicationid: 'shop',
        queueid: 'order-4711',
        notificationemailaddress: 'ops@example.com',
      },
    ],
  },
);

const Status = Type.Object(
  {
    id: idSchema,
    request: {
      ...Request,
      description: 'The request as stored. Missing fields are null or have their zero value.',
    },
    attempts: Type.Array(
      Type.Object({
        statuscode: Type.Integer({ description: '0 if no answer came in time.' }),
        response: Type.Object({
          headers: nullable(Headers),
          data: nullable(Type.String({ description: 'The body, as base64.' })),
        }),
        time: momentSchema,
        duration: Type.Integer({ description: 'Duration in nanoseconds.' }),
      }),
    ),
    locks: Type.Array(
      Type.Object({
        acquired: momentSchema,
        timeout: momentSchema,
        completed: Type.Boolean(),
        machinename: Type.String(),
      }),
    ),
    success: Type.Boolean(),
  },
  { title: 'CompatibleStatus' },
);

/** Adds `/callback`, which existing clients use. The callbacks package defines its exact format. */
export function compatibleRoutes(app: App, deps: CompatibleRoutesDeps): void {
  // Bodies stay text: a JSON parser would round delays beyond 2^53.
  setJsonParser(app, (text) => text);
  // The schemas are for the API document only: `parseCompatibleRequest` checks by its own rules.
  app.setValidatorCompiler(() => () => true);
  addCreate(app, deps.acceptance);
  addGet(app, deps.db);
}

function addCreate(app: App, acceptance: Acceptance): void {
  app.post<{ Body: string | undefined }>(
    '/callback',
    {
      config: {
        scope: 'callbacks:write',
        application: 'items',
        audit: 'none',
        counts: 'deliveries',
        errors: ['CALLBACK_INVALID', 'REQUEST_INVALID', 'IDEMPOTENCY_KEY_REUSED'],
      },
      schema: {
        tags,
        operationId: 'createCompatibleCallback',
        summary: 'Create a callback',
        description:
          'Answered after the callback is committed. From then on its delivery is guaranteed.',
        headers: idempotencyHeaders('application'),
        body: Request,
        response: { 201: Status },
      },
    },
    async (request, reply) => {
      const { body = '', headers } = request;
      const idempotency = readIdempotencyClaim(headers, body);
      const parsed = parseCompatibleRequest(body);
      const input = {
        ...parsed,
        application: applicationOf(request, parsed.application),
        echo: hopsOf(request),
        isRecipientTrusted: isRecipientTrusted(request.caller),
      };
      const accepted = await acceptance.accept(input, idempotency).catch((error: unknown) => {
        throw toCompatibleError(error);
      });
      if (accepted.repeated) markReplayed(reply);
      reply.code(201).header('content-type', contentType);
      return newCompatibleStatus(accepted.id, accepted.request);
    },
  );
}

/** Returns the application of a request. On this wire a text that is left out is an empty one. */
function applicationOf(request: Pick<FastifyRequest, 'applicationFor'>, named?: string): string {
  try {
    return request.applicationFor(named || undefined);
  } catch (error) {
    throw toCompatibleError(error);
  }
}

function addGet(app: App, db: Database): void {
  app.get<{ Params: { id: string } }>(
    '/callback/:id',
    {
      config: { scope: 'callbacks:read', application: 'owner', errors: ['CALLBACK_NOT_FOUND'] },
      schema: {
        tags,
        operationId: 'getCompatibleCallback',
        summary: 'Get the status of a callback',
        params: Type.Object({ id: idSchema }),
        response: { 200: Status },
      },
    },
    async ({ params, applications }, reply) => {
      const view = await findCallback(db, params.id, applications);
      if (!view) {
        throw new PlatformError(
          'CALLBACK_NOT_FOUND',
          `there is no callback with the id '${params.id}'`,
        );
      }
      reply.header('content-type', contentType);
      return toCompatibleStatus(view);
    },
  );
}
