import type { FastifyRequest } from 'fastify';

/**
 * Returns the application of a request to a route with the source `items` whose things belong to an
 * application or to all: the one that it names, else the caller's own; `undefined`, for all, if the
 * caller is one for all and names none.
 * @throws PlatformError `APPLICATION_FORBIDDEN`, `APPLICATION_REQUIRED`
 */
export function applicationOrAll(
  request: FastifyRequest,
  named: string | undefined,
): string | undefined {
  const isForAll = named === undefined && request.caller.applications === 'all';
  return isForAll ? undefined : request.applicationFor(named);
}
