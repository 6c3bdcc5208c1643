import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type Acceptance, type AcceptedCallback, requestInvalid } from '@posthaste/callbacks';
import { toItemClaim } from '@posthaste/contracts';
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { App } from '../../app.js';
import { toFieldFaults } from '../../http/field-faults.js';
import { type ItemProblem, itemAnswerFields, showItemProblem } from '../schemas/batch-item.js';
import { readExactBodies } from '../schemas/exact-body.js';
import { strict } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed } from '../schemas/idempotency.js';
import { acceptedSchema, showAccepted } from './callback-view.js';
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
type ItemAnswer = { readonly status: 201; readonly callback: object } | ItemProblem;

const batchOf = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item, { minItems: 1, maxItems: 1_000 }) }, strict);

/** What is checked before the items are, each by itself. */
const Batch = batchOf(Type.Unknown());

const BatchAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      ...itemAnswerFields,
      callback: Type.Optional({ ...acceptedSchema, description: 'With status 201.' }),
    }),
    { description: 'One for each item, in their order.' },
  ),
});

/** `/v1/callbacks/batch`: many in one call. */
export function callbackBatchRoutes(app: App, { acceptance, policies }: CallbackBatchDeps): void {
  readExactBodies(app);
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
        headers: idempotencyHeaders('application'),
        body: batchOf(newCallbackSchema),
        response: { 200: BatchAnswer },
      },
    },
    async (request, reply) => {
      const { body, idempotency, trace } = request;
      const outcomes = await acceptance.acceptAll(
        body.items.map((item, i) => ({
          input: toInput(item, validator, { policies, trace }),
          idempotency: idempotency && toItemClaim(idempotency, i),
        })),
      );
      if (isReplay(outcomes)) markReplayed(reply);
      return { items: outcomes.map((outcome) => toAnswer(outcome, request)) };
    },
  );
}

const compileEnvelope: FastifySchemaCompiler<unknown> = (route) =>
  route.httpPart === 'body' ? TypeBoxValidatorCompiler({ ...route, schema: Batch }) : () => true;

async function toInput(item: unknown, validator: Validator, context: IntakeContext) {
  if (!validator.Check(item)) throw requestInvalid(toFieldFaults(validator.Errors(item), 'body'));
  return toCallbackInput(item as NewCallback, context);
}

/** Whether everything in the answer was there before. */
function isReplay(outcomes: readonly PromiseSettledResult<AcceptedCallback>[]): boolean {
  const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  return taken.length > 0 && taken.every(({ value }) => value.repeated);
}

function toAnswer(
  outcome: PromiseSettledResult<AcceptedCallback>,
  request: Pick<FastifyRequest, 'id' | 'log'>,
): ItemAnswer {
  return outcome.status === 'fulfilled'
    ? { status: 201, callback: showAccepted(outcome.value) }
    : showItemProblem(outcome.reason, request);
}
