import { parseId } from '@posthaste/contracts';
import type { FastifyRequest } from 'fastify';

/**
 * Change that a route makes, for the audit log. It is `config.audit` of the route; the name of the
 * target finds its entry in {@link AuditTargets}.
 */
export interface AuditedRoute {
  /** Kind of the target and what is done, in the past tense: `endpoint.updated`. */
  readonly action: string;
  /** Kind of the target: `endpoint`. */
  readonly target: string;
}

/** State of a target, as the API shows it. */
export interface TargetView {
  /** Application that it belongs to; `undefined` for none. */
  readonly application: string | undefined;
  /** Name for people. */
  readonly name: string;
  /** State for the log. Secrets in it are masked there. */
  readonly state: object;
}

/** The way to a kind of things that routes change. */
export interface AuditTarget {
  /**
   * Returns the id of the target: from the request, or from the answer if the request creates it.
   * `undefined` before the answer of such a request.
   */
  id(request: FastifyRequest, answer?: unknown): string | undefined;
  /**
   * Reads its state, with the statements of the transaction of the change. Returns `undefined` if
   * it does not exist; may throw a PlatformError of the type `not_found` instead.
   * @param answer the answer of the handler, after it has run
   */
  read(id: string, request: FastifyRequest, answer?: unknown): Promise<TargetView | undefined>;
}

/** Kinds of targets by their name. */
export type AuditTargets = Readonly<Record<string, AuditTarget>>;

/** Returns the id in the path, in its usual form; that of the answer if the path has none. */
export function idOf(request: FastifyRequest, answer?: unknown): string | undefined {
  const given = pathParameter(request, 'id');
  if (given !== undefined) return parseId(given) ?? given;
  const created = memberOf(answer, 'id');
  return typeof created === 'string' ? created : undefined;
}

/** Returns the path parameter of a request, such as `id`; `undefined` if its route has none. */
export function pathParameter({ params }: FastifyRequest, name: string): string | undefined {
  const value = memberOf(params, name);
  return typeof value === 'string' ? value : undefined;
}

/** Returns a member of an object that is not typed; `undefined` if there is none. */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

const pastTense = {
  cancel: 'cancelled',
  confirm: 'confirmed',
  disable: 'disabled',
  enable: 'enabled',
  pause: 'paused',
  refuse: 'refused',
  replay: 'replayed',
  resume: 'resumed',
  retry: 'retried',
} as const;

/** Returns the past tense of a verb in a path, for the name of an action. */
export function pastOf(verb: string): string {
  return Object.hasOwn(pastTense, verb) ? Reflect.get(pastTense, verb) : verb;
}
