/**
 * Every scope that an API key can have. `admin` includes all others, and only `admin` manages keys.
 * A key in a web page may have those of `pageScopes` only.
 * How a route gets its scope, and how it is checked: access/access.ts.
 */
export const scopes = [
  'callbacks:read',
  'callbacks:write',
  'endpoints:read',
  'endpoints:write',
  'queues:read',
  'queues:write',
  'events:read',
  'events:write',
  'metrics:read',
  'audit:read',
  'realtime:publish',
  'realtime:subscribe',
  'realtime:read',
  'realtime:write',
  'admin',
] as const;

export type Scope = (typeof scopes)[number];

/** Scopes of keys that everybody may see who loads a page: those of realtime channels. */
export const pageScopes: readonly Scope[] = ['realtime:publish', 'realtime:subscribe'];

/** Scope that a route declares; `public` needs no key, `any` needs one with any scope. */
export type RouteScope = Scope | 'public' | 'any';

/** True if a key with the scopes `held` may use a route that needs the scope `needed`. */
export function grants(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes('admin');
}
