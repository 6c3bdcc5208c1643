import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Caller, RouteScope } from '@posthaste/access';
import type { Applications, ErrorCode } from '@posthaste/contracts';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ApplicationSource, CountedThing } from './access/application-source.js';
import type { AuditedRoute } from './audit/audited-route.js';
import type { FaultDelay } from './http/limits/fault-delay.js';
import type { TraceContext } from './http/trace-context.js';
import type { RouteUpgrades } from './http/upgrades.js';

/** The Fastify server, with TypeBox schemas that type the handlers of its routes. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Registers the routes of one resource. Its parsers and hooks apply to these routes only. */
export type Routes = (app: App) => void | Promise<void>;

/** Row of the route table: who may call a route, and how it finds the applications of a request. */
export interface RouteAccess {
  readonly method: string;
  /** Pattern, such as `/v1/keys/:id`. */
  readonly url: string;
  readonly scope: RouteScope;
  readonly application: ApplicationSource;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Scope that the API key of the caller must have. The server does not start while a route
     * declares none. The check is described in access/access.ts.
     */
    scope?: RouteScope;
    /**
     * The way in which the route finds the applications of a request. The server does not start
     * while a route declares none. access/application-access.ts resolves it.
     */
    application?: ApplicationSource;
    /**
     * Change that the route makes, for the audit log; `none` on routes that change nothing, and on
     * those of the data plane. The server does not start while a route declares neither, unless its
     * method only reads. audit/audited-changes.ts records it.
     */
    audit?: AuditedRoute | 'none';
    /** True on routes that answer about an application that is being deleted, too. */
    whileDeleting?: true;
    /**
     * Thing that the route adds to an application, for its limits: one for each request, or for each item
     * with the source `items`. See access/application-limits.ts.
     */
    counts?: CountedThing;
    /** False on routes whose requests are not counted by the rate limits. */
    rateLimit?: false;
    /** Error codes of this route, without those that all routes share. For the API document. */
    errors?: readonly ErrorCode[];
    /**
     * Set on routes that are answered under overload too, so that operators can watch the server.
     */
    answersUnderLoad?: true;
    /**
     * Set on routes that send again what was sent before. Deliveries of the platform may not call
     * them: http/hops.ts.
     */
    sendsAgain?: true;
  }

  interface FastifyInstance {
    /** Returns every route with its access, once all are registered. */
    listRouteAccess(): RouteAccess[];
    /** Delay of answers to callers that send many faulty requests, or batches with faulty items. */
    readonly faultDelay: FaultDelay;
    /** Requests to become a WebSocket. */
    readonly upgrades: RouteUpgrades;
  }

  interface FastifyRequest {
    /**
     * Configuration of the route: `routeOptions.config`, which is slow to read. Set by the check of
     * access.
     */
    routeConfig: FastifyContextConfig;
    /** Sender of the request. On public routes `anonymousCaller`. */
    caller: Caller;
    /**
     * Applications that the request is about, for the sources `filter`, `named`, `owner`, `caller`
     * and `all`: the handler shows and changes nothing of others.
     */
    readonly applications: Applications;
    /** The application that the request is about, for the source `named`. */
    readonly application: string;
    /**
     * Returns the application of an item that names this one, or none.
     * @throws PlatformError `APPLICATION_FORBIDDEN`, `APPLICATION_REQUIRED`
     */
    applicationFor(named: string | undefined): string;
    /**
     * Returns true if the caller would be let in now. For answers that last long. Does not throw.
     */
    isStillAuthorized(): Promise<boolean>;
    /** Arrival of the request's headers, on the clock of `performance.now`. */
    startedAt: number;
    /** Trace of this request; `undefined` when the caller sent none and no tracer is registered. */
    readonly trace: TraceContext | undefined;
  }
}
