import { setImmediate as nextTurn } from 'node:timers/promises';
import { PlatformError, type ProblemDetails } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import { type TInteger, type TOptional, type TUnknown, Type } from 'typebox';
import type { FieldFault } from '../../http/field-faults.js';
import { toInternal, toPublicProblem } from '../../http/problem.js';

/** Items that are checked in one turn of the event loop. */
const sliceSize = 50;
/** Invalid items of a list whose faults are looked for. */
const maxExplainedItems = 50;

/** Result of a batch item that failed. Each item of a batch succeeds or fails on its own. */
export interface ItemProblem {
  readonly status: number;
  readonly problem: ProblemDetails;
}

/** Fields that the result of every batch item has, besides what was created. */
export const itemResultFields: { status: TInteger; problem: TOptional<TUnknown> } = {
  status: Type.Integer({
    description: 'HTTP status that the item would get if it were sent alone.',
  }),
  problem: Type.Optional(Type.Unknown({ description: 'Problem details, if the item failed.' })),
};

/**
 * Converts the error of one item. A defect is logged and fails its item only: the others may be
 * stored, and their callers must learn that.
 */
export function toItemProblem(
  reason: unknown,
  { id, log }: Pick<FastifyRequest, 'id' | 'log'>,
): ItemProblem {
  const error = reason instanceof PlatformError ? reason : toInternal(reason);
  if (error.type === 'internal') log.error({ err: error }, 'a batch item failed');
  return { status: error.httpStatus, problem: toPublicProblem(error, id) };
}

/**
 * Converts the items of a list in their order, a slice in each turn of the event loop, so that other
 * requests are served meanwhile. A conversion that throws rejects the promise of its item.
 */
export function convertInSlices<Item, Result>(
  items: readonly Item[],
  convert: (item: Item, index: number) => Result | Promise<Result>,
): Promise<Result>[] {
  let turn: Promise<unknown> = Promise.resolve();
  return items.map((item, index) => {
    if (index > 0 && index % sliceSize === 0) turn = turn.then(() => nextTurn());
    return turn.then(() => convert(item, index));
  });
}

/**
 * Bounds the work on a list of invalid items: finding all faults of an item takes a hundred times as
 * long as finding out that it has some.
 */
export class ItemFaults {
  #explained = 0;

  /** Returns the faults that `find` finds, or after too many invalid items one fault that says so. */
  explain(find: () => FieldFault[]): FieldFault[] {
    this.#explained += 1;
    if (this.#explained <= maxExplainedItems) return find();
    const message = `is invalid; only the faults of the first ${maxExplainedItems} invalid items are listed, correct those first`;
    return [{ field: 'body', message }];
  }
}
