import { PlatformError, type ProblemDetails } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import { type TInteger, type TOptional, type TUnknown, Type } from 'typebox';
import { toInternal, toPublicProblem } from '../../http/problem.js';

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
