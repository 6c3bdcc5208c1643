import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import {
  type Acceptance,
  type AcceptedCallback,
  type IdempotencyClaim,
  requestInvalid,
} from '@posthaste/callbacks';
import { PlatformError, type ProblemDetails, toProblemDetails } from '@posthaste/contracts';
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { App } from '../app.js';
import { toFieldFaults } from '../field-faults.js';
import { readCallbackBodies } from './callback-body.js';
import { acceptedSchema, showAccepted } from './callback-view.js';
import { strict } from './field-schemas.js';
import { idempotencyHeaders, markReplayed } from './idempotency.js';
import {
  type IntakeContext,
  type NewCallback,
  newCallbackSchema,
  toCallbackInput,
} from './new-callback.js';
import type { PolicyResolver } from './retry-choice.js';

export interface CallbackBatchDeps {
  readonly acceptance: Acceptance;
  readonly policies: PolicyResolver;
}

/** What became of one item. */
interface ItemAnswer {
  readonly status: number;
  readonly callback?: object;
  readonly problem?: ProblemDetails;
}

const batchOf = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item, { minItems: 1, maxItems: 1_000 }) }, strict);

/** What is checked before the items are, each by itself. */
const Batch = batchOf(Type.Unknown());

const BatchAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      status: Type.Integer({ description: 'As if it had been handed in alone.' }),
      callback: Type.Optional({ ...acceptedSchema, description: 'With status 201.' }),
      problem: Type.Optional(
        Type.Unknown({ description: 'With any other status: problem details, as of every error.' }),
      ),
    }),
    { description: 'One for each item, in their order.' },
  ),
});

/** Between a batch's key and the number of an item: keys of single callbacks cannot have it. */
const keySeparator = '\n';

/** `/v1/callbacks/batch`: many in one call. */
export function callbackBatchRoutes(app: App, { acceptance, policies }: CallbackBatchDeps): void {
  readCallbackBodies(app);
  const validator = Compile(newCallbackSchema);
  app.post<{ Body: { readonly items: readonly unknown[] } }>(
    '/v1/callbacks/batch',
    {
      config: { scope: 'callbacks:write', errors: ['REQUEST_INVALID', 'REQUEST_TOO_LARGE'] },
      validatorCompiler: compileEnvelope,
      schema: {
        tags: ['Callbacks'],
        summary: 'Hand in up to 1,000 callbacks',
        description:
          'Each is answered on its own: one that is refused does not keep the others back. Those of one queue are delivered in this order. With an Idempotency-Key, a repetition gives for each callback that was taken its first answer again, and takes those that could not be taken then.',
        headers: idempotencyHeaders,
        body: batchOf(newCallbackSchema),
        response: { 200: BatchAnswer },
      },
    },
    async ({ body, idempotency, trace, id, log }, reply) => {
      const outcomes = await acceptance.acceptAll(
        body.items.map((item, i) => ({
          input: toInput(item, validator, { policies, trace }),
          idempotency: idempotency && toItemClaim(idempotency, i),
        })),
      );
      if (isReplay(outcomes)) markReplayed(reply);
      return { items: outcomes.map((outcome) => toAnswer(outcome, { id, log })) };
    },
  );
}

const compileEnvelope: FastifySchemaCompiler<unknown> = (route) =>
  route.httpPart === 'body' ? TypeBoxValidatorCompiler({ ...route, schema: Batch }) : () => true;

async function toInput(item: unknown, validator: Validator, context: IntakeContext) {
  if (!validator.Check(item)) throw requestInvalid(toFieldFaults(validator.Errors(item), 'body'));
  return toCallbackInput(item as NewCallback, context);
}

function toItemClaim({ key, bodyHash }: IdempotencyClaim, i: number): IdempotencyClaim {
  return { key: `${key}${keySeparator}${i}`, bodyHash };
}

/** Whether everything in the answer was there before. */
function isReplay(outcomes: readonly PromiseSettledResult<AcceptedCallback>[]): boolean {
  const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  return taken.length > 0 && taken.every(({ value }) => value.repeated);
}

function toAnswer(
  outcome: PromiseSettledResult<AcceptedCallback>,
  { id, log }: Pick<FastifyRequest, 'id' | 'log'>,
): ItemAnswer {
  if (outcome.status === 'fulfilled') return { status: 201, callback: showAccepted(outcome.value) };
  const error = toPlatformError(outcome.reason);
  // A defect ends its item only: the others may be stored, and their callers must know.
  if (error.type === 'internal') log.error({ err: error }, 'a callback of a batch failed');
  return { status: error.httpStatus, problem: toProblemDetails(error, id) };
}

function toPlatformError(reason: unknown): PlatformError {
  if (reason instanceof PlatformError) return reason;
  return new PlatformError('INTERNAL', String(reason), { cause: reason });
}
