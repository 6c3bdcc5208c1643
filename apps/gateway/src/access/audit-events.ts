/*
 * Events of the audit log. The log is for callers with the scope audit:read; so are its events, on
 * every way on which they can be read: pages, server-sent events, dead letters and subscriptions.
 */

import { auditEventTopic, canUse, type Scope } from '@posthaste/access';
import { type Applications, PlatformError, platformTopicOf } from '@posthaste/contracts';
import { isTopicOrDerived } from '@posthaste/eventstream';
import type { FastifyRequest } from 'fastify';

const scope: Scope = 'audit:read';

/** Request whose caller wants events of the audit log of these applications. */
type AuditReader = Pick<FastifyRequest, 'caller'> & { readonly applications: Applications };

/** True if the topic has events of the audit log: itself, its retries and its dead letters. */
export function isAuditTopic(topic: string): boolean {
  return isTopicOrDerived(topic, auditEventTopic);
}

/** True if a subscription to names of this pattern gets events of the audit log. */
export function isAuditPattern(eventName: string): boolean {
  // A pattern that begins with a wildcard matches no events of the platform.
  return platformTopicOf(eventName) === auditEventTopic;
}

/** True if the caller may read the audit log of all applications that the request is about. */
export function mayReadAudit({ caller, applications }: AuditReader): boolean {
  return canUse(caller, { applications, scopes: [scope] });
}

/** Checks that the caller may read the audit log. @throws PlatformError `SCOPE_MISSING` */
export function requireAuditScope(request: AuditReader): void {
  if (mayReadAudit(request)) return;
  throw new PlatformError(
    'SCOPE_MISSING',
    `'${request.caller.name}' lacks the scope ${scope}, which events of the audit log need`,
    { details: { needed: scope, held: request.caller.scopes } },
  );
}
