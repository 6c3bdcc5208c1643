import type { Caller } from '@posthaste/access';
import { parseId } from '@posthaste/contracts';
import { type AuditTargets, idOf, memberOf, type TargetView } from './audited-route.js';

/** Method of `ShortLivedTokens` that reads whether a token was revoked. */
export interface TokenReader {
  isRevoked(caller: Caller, id: string): Promise<boolean>;
}

/**
 * Creates the targets of the routes of tokens. Tokens are not stored: the state of a new one is the
 * answer that shows it, and of any other it is only known whether it was revoked.
 */
export function createTokenTargets(tokens: TokenReader): AuditTargets {
  return {
    token: {
      id: (request, answer) => idOf(request, answer),
      async read(id, { caller, method }, answer) {
        if (method === 'POST') return toCreatedView(answer);
        if (parseId(id) === undefined) return undefined;
        const state = { revoked: await tokens.isRevoked(caller, id) };
        return { application: undefined, name: id, state };
      },
    },
  };
}

function toCreatedView(answer: unknown): TargetView {
  const names = ['name', 'applications', 'scopes', 'expiresAt'] as const;
  const state = Object.fromEntries(names.map((name) => [name, memberOf(answer, name)]));
  const applications: readonly unknown[] = Array.isArray(state.applications)
    ? state.applications
    : [];
  const [only] = applications;
  const application = applications.length === 1 && typeof only === 'string' ? only : undefined;
  return { application, name: String(state.name), state };
}
