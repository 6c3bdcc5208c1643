import { type Acceptance, type AcceptedCallback, requestInvalid } from '@posthaste/callbacks';
import { toItemClaim } from '@posthaste/contracts';
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type { App } from '../../app.js';
import { toFieldFaults } from '../../http/field-faults.js';
import { hopsOf } from '../../http/hops.js';
import { compileValidator } from '../../http/validator.js';
import {
  convertInSlices,
  ItemFaults,
  type ItemProblem,
  itemResultFields,
  toItemProblem,
} from '../schemas/batch-item.js';
import { addExactBodyParser } from '../schemas/exact-body.js';
import { noUnknownKeys } from '../schemas/field-schemas.js';
import { idempotencyHeaders, markReplayed } from '../schemas/idempotency.js';
import { acceptedSchema, toAcceptedView } from './callback-view.js';
import { isRecipientTrusted } from './mail-recipients.js';
import {
  type NewCallback,
  type NewCallbackContext,
  newCallbackSchema,
  parseNewCallbacks,
  toCallbackInput,
} from './new-callback.js';
import type { PolicyResolver } from './retry-choice.js';

export interface CallbackBatchDeps {
  readonly acceptance: Acceptance;
  readonly policies: PolicyResolver;
}

/** Result of one item. */
type ItemResult = { readonly status: 201; readonly callback: object } | ItemProblem;

const batchOf = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item, { minItems: 1, maxItems: 1_000 }) }, noUnknownKeys);

/** Schema of the batch as a whole, which is checked first. Items are then checked one by one. */
const Batch = batchOf(Type.Unknown());

const BatchAnswer = Type.Object({
  items: Type.Array(
    Type.Object({
      ...itemResultFields,
      callback: Type.Optional({
        ...acceptedSchema,
        description: 'The callback, if the status is 201.',
      }),
    }),
    { description: 'One result for each item, in the order of the request.' },
  ),
});

/** Adds `/v1/callbacks/batch`: create many callbacks in one call. */
export function callbackBatchRoutes(app: App, { acceptance, policies }: CallbackBatchDeps): void {
  addExactBodyParser(app, { parse: parseNewCallbacks });
  const validator = Compile(newCallbackSchema);
  app.post<{ Body: { readonly items: readonly unknown[] } }>(
    '/v1/callbacks/batch',
    {
      config: {
        scope: 'callbacks:write',
        application: 'items',
        audit: 'none',
        counts: 'deliveries',
        errors: ['REQUEST_INVALID', 'REQUEST_TOO_LARGE'],
      },
      validatorCompiler: compileBatch,
      schema: {
        tags: ['Callbacks'],
        operationId: 'createCallbacks',
        summary: 'Create up to 1,000 callbacks',
        description:
          'Each callback is accepted or refused on its own; the faults are listed for the first 50 that are invalid. Callbacks of one queue are delivered in the order of the list. With an Idempotency-Key, a repeated request gets the first answer for each callback that was accepted, and tries again those that were not.',
        headers: idempotencyHeaders('application'),
        body: batchOf(newCallbackSchema),
        response: { 200: BatchAnswer },
      },
    },
    async (request, reply) => {
      const { body, idempotency, trace } = request;
      const check: ItemCheck = { validator, faults: new ItemFaults() };
      const context: BatchContext = {
        applicationFor: (named) => request.applicationFor(named),
        policies,
        trace,
        hops: hopsOf(request),
        isRecipientTrusted: isRecipientTrusted(request.caller),
      };
      const inputs = convertInSlices(body.items, (item) => toInput(item, check, context));
      const outcomes = await acceptance.acceptAll(
        inputs.map((input, i) => ({
          input,
          idempotency: idempotency && toItemClaim(idempotency, i),
        })),
      );
      if (isReplay(outcomes)) markReplayed(reply);
      const items = outcomes.map((outcome) => toItemResult(outcome, request));
      await app.faultDelay.ofItems(request, items);
      return { items };
    },
  );
}

/** Checks the batch only. The schema of the route has the items too, for the API document. */
const compileBatch: FastifySchemaCompiler<unknown> = (route) =>
  route.httpPart === 'body' ? compileValidator({ ...route, schema: Batch }) : () => true;

/** Check of the items of one request. */
interface ItemCheck {
  readonly validator: Validator;
  readonly faults: ItemFaults;
}

/** Context of the items of one request. */
type BatchContext = Omit<NewCallbackContext, 'application'> &
  Pick<FastifyRequest, 'applicationFor'>;

async function toInput(
  item: unknown,
  { validator, faults }: ItemCheck,
  { applicationFor, ...context }: BatchContext,
) {
  if (!validator.Check(item)) {
    const find = () => toFieldFaults(validator.Errors(item), 'body', newCallbackSchema);
    throw requestInvalid(faults.explain(find));
  }
  const callback = item as NewCallback;
  const application = applicationFor(callback.application);
  return toCallbackInput(callback, { ...context, application });
}

/** True if all callbacks in the answer existed before this request. */
function isReplay(outcomes: readonly PromiseSettledResult<AcceptedCallback>[]): boolean {
  const accepted = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  return accepted.length > 0 && accepted.every(({ value }) => value.repeated);
}

function toItemResult(
  outcome: PromiseSettledResult<AcceptedCallback>,
  request: Pick<FastifyRequest, 'id' | 'log'>,
): ItemResult {
  return outcome.status === 'fulfilled'
    ? { status: 201, callback: toAcceptedView(outcome.value) }
    : toItemProblem(outcome.reason, request);
}
