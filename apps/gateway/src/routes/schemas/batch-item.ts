import { PlatformError, type ProblemDetails } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';
import { type TInteger, type TOptional, type TUnknown, Type } from 'typebox';
import { toPublicProblem } from '../../http/problem.js';

/** An item of a list that could not be taken. The others are answered for themselves. */
export interface ItemProblem {
  readonly status: number;
  readonly problem: ProblemDetails;
}

/** What the answer to an item has besides what was made of it. */
export const itemAnswerFields: { status: TInteger; problem: TOptional<TUnknown> } = {
  status: Type.Integer({ description: 'As if it had been handed in alone.' }),
  problem: Type.Optional(
    Type.Unknown({ description: 'With any other status: problem details, as of every error.' }),
  ),
};

/** A defect ends its item only: the others may be stored, and their callers must know. */
export function showItemProblem(
  reason: unknown,
  { id, log }: Pick<FastifyRequest, 'id' | 'log'>,
): ItemProblem {
  const error = toPlatformError(reason);
  if (error.type === 'internal') log.error({ err: error }, 'an item of a list failed');
  return { status: error.httpStatus, problem: toPublicProblem(error, id) };
}

function toPlatformError(reason: unknown): PlatformError {
  if (reason instanceof PlatformError) return reason;
  return new PlatformError('INTERNAL', String(reason), { cause: reason });
}
