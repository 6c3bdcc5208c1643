import { type PlatformError, type ProblemDetails, toProblemDetails } from '@posthaste/contracts';

/**
 * An error as callers see it. What the database itself said names hosts, ports and tables: that is
 * for the log, and title and code tell the caller enough.
 */
export function toPublicProblem(error: PlatformError, requestId: string): ProblemDetails {
  const problem = toProblemDetails(error, requestId);
  const isInside = error.code.startsWith('DATABASE_') && error.type !== 'internal';
  return isInside ? { ...problem, detail: 'the database could not serve the request' } : problem;
}
