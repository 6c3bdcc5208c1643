import { findMissingScope, type Scope } from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';

const needed: Scope = 'audit:read';
/** The audit log, and what consumers of it have put aside. */
const auditTopics = /^audit(?:\.dlq|\.(?:.+\.)?retry\.\d+)?$/;

/**
 * True if the caller may read a topic. The events of the audit log name people and their addresses,
 * and show states before and after changes: they need the scope of `GET /v1/audit`.
 */
export function mayReadTopic(
  { caller, applications }: Pick<FastifyRequest, 'caller' | 'applications'>,
  topic: string,
): boolean {
  if (!auditTopics.test(topic)) return true;
  const held = caller.rights ?? [caller];
  return findMissingScope(held, { applications, scopes: [needed] }) === undefined;
}

/** @throws PlatformError `SCOPE_MISSING` for a topic that the caller may not read */
export function requireReadable(
  request: Pick<FastifyRequest, 'caller' | 'applications'>,
  topics: readonly string[],
): void {
  const refused = topics.find((topic) => !mayReadTopic(request, topic));
  if (refused === undefined) return;
  const message = `the topic '${refused}' is of the audit log, and needs the scope ${needed}`;
  throw new PlatformError('SCOPE_MISSING', message, {
    details: { needed, held: request.caller.scopes },
  });
}
