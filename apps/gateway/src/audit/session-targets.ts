import type { Session } from '@posthaste/access';
import { type AuditTargets, idOf, pathParameter } from './audited-route.js';

/** Method of `Sessions` that reads a session. */
export interface SessionReader {
  find(id: string): Promise<Session | undefined>;
}

/** Creates the targets of the routes of sessions. */
export function createSessionTargets(sessions: SessionReader): AuditTargets {
  return {
    session: {
      id(request, answer) {
        const { method, caller } = request;
        // The path of a sign-out names none: it is the session of the request itself.
        if (method === 'DELETE' && pathParameter(request, 'id') === undefined) return caller.id;
        // The answer to a sign-in is a page. The handler has made the person the caller.
        if (method === 'GET') return caller.kind === 'person' ? caller.id : undefined;
        return idOf(request, answer);
      },
      async read(id) {
        const session = await sessions.find(id);
        if (session === undefined) return undefined;
        const { issuer, subject, name, grants, expiresAt, revokedAt } = session;
        const state = { issuer, subject, grants, expiresAt, revokedAt };
        return { application: undefined, name, state };
      },
    },
  };
}
