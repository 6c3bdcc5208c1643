import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { ErrorCode } from '@posthaste/contracts';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { TraceContext } from './http/trace-context.js';
import type { AuthenticatedKey } from './keys/api-keys.js';
import type { RouteScope } from './keys/scopes.js';

/** The server as routes see it: schemas are TypeBox, and handlers are typed by them. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Registers the routes of one resource. What it adds besides (parsers, hooks) stays its own. */
export type Routes = (app: App) => void | Promise<void>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route asks of its caller. A server with a route that declares none does not start. */
    scope?: RouteScope;
    /** How the route fails besides what all routes have in common; for the API document. */
    errors?: readonly ErrorCode[];
    /** Not refused while the server is too busy: whoever looks after it asks there. */
    answersUnderLoad?: true;
  }

  interface FastifyRequest {
    /** Who calls; `null` on public routes and without keys. */
    apiKey: AuthenticatedKey | null;
    /** Whether its caller would still get in now; for answers that take long. Does not throw. */
    isStillAdmitted(): Promise<boolean>;
    /** When its headers had arrived, on the clock of `performance.now`. */
    startedAt: number;
    /** The trace this request belongs to; `undefined` when the caller sent none and none is kept. */
    readonly trace: TraceContext | undefined;
  }
}
