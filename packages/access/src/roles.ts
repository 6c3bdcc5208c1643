import type { Applications } from '@posthaste/contracts';
import type { Rights } from './rights.js';
import { type Scope, scopes } from './scopes.js';

/** Roles of people, from the one that may do least. README.md has the table of their scopes. */
export const roles = ['viewer', 'operator', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Role of a person in some applications. */
export interface Grant {
  readonly role: Role;
  readonly applications: Applications;
}

/** Resources that an operator may change: the daily work on what applications send. */
const operated: ReadonlySet<string> = new Set([
  'callbacks',
  'endpoints',
  'queues',
  'events',
  'realtime',
]);

const readScopes = scopes.filter((scope) => scope.endsWith(':read'));

const scopesOf: Readonly<Record<Role, readonly Scope[]>> = {
  // The audit log names people and their addresses, so it is not for everybody who may look.
  viewer: readScopes.filter((scope) => !scope.startsWith('audit:')),
  operator: [...readScopes, ...scopes.filter(isOperatorWrite)],
  admin: ['admin'],
};

/** Returns the scopes of a role. */
export function scopesOfRole(role: Role): readonly Scope[] {
  return scopesOf[role];
}

/** Returns what these grants allow. */
export function rightsOfGrants(grants: readonly Grant[]): Rights[] {
  return grants.map(({ role, applications }) => ({ applications, scopes: scopesOf[role] }));
}

/** True if the text is the name of a role. */
export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

function isOperatorWrite(scope: Scope): boolean {
  const [resource = '', action] = scope.split(':');
  return action === 'write' && operated.has(resource);
}
