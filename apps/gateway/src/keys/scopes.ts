/** What an API key may do. `admin` may do everything, and alone manages keys. */
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
  'admin',
] as const;

export type Scope = (typeof scopes)[number];

/** What a route asks of its caller; `public` is nothing. Every route declares one. */
export type RouteScope = Scope | 'public';

/** Whether a key that holds these scopes may use a route that asks for `needed`. */
export function grants(held: readonly Scope[], needed: Scope): boolean {
  return held.includes(needed) || held.includes('admin');
}
