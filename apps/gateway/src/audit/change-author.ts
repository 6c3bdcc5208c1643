import type { Actor, Caller, ChangeOrigin } from '@posthaste/access';
import type { FastifyRequest } from 'fastify';

/** Returns the actor of the changes that a caller makes. */
export function toActor({ kind, id, name }: Caller): Actor {
  // Nobody has a credential on a public route. A sign-in has made the person the caller.
  return { kind: kind === 'anonymous' ? 'local' : kind, id, name };
}

/** Returns the place that a request came from. */
export function toOrigin({ ip, headers, id }: FastifyRequest): ChangeOrigin {
  return { address: ip, userAgent: headers['user-agent'], requestId: id };
}
