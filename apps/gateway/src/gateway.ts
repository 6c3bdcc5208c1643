import type { AddressInfo } from 'node:net';
import {
  ApiKeys,
  ApplicationRegistry,
  type AuditEventSink,
  createChangeRecorder,
  createRecordedRegistration,
  KnownApplications,
  LimitDirectory,
  NameDiscovery,
  type NameSource,
  type RecordChange,
  readUsage,
} from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { AmbientDatabase, Database } from '@posthaste/postgres';
import type { ReadinessCheck } from '@posthaste/service';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { toDefaultLimits } from './access/application-limits.js';
import { addApplicationMetrics } from './access/application-metrics.js';
import type { App, Routes } from './app.js';
import type { AuditTargets } from './audit/audited-route.js';
import {
  createApplicationTargets,
  createErasureTargets,
  createKeyTargets,
} from './audit/own-targets.js';
import type { GatewayConfig } from './config.js';
import { addPoolMetrics, addProcessMetrics } from './http/metrics.js';
import { RepeatedWarnings } from './http/repeated-warnings.js';
import { databaseCheck } from './readiness.js';
import type { OperationLimits } from './realtime/operation-limits.js';
import { type Realtime, type RealtimeConfig, startRealtime } from './realtime/realtime.js';
import { createRealtimeRoutes } from './realtime-routes.js';
import { auditRoutes } from './routes/audit.js';
import { channelRoutes } from './routes/realtime/channel-routes.js';
import { buildServer, type ServerDeps } from './server.js';

/** Time between two warnings about the same work that fails, in ms. */
const warnEveryMs = 60_000;
/** Connections that may wait to be accepted: clients of channels come back all at once. */
const backlog = 4_096;

export interface GatewayDeps {
  readonly config: GatewayConfig;
  /** Needs `accessMigrations`. While it cannot be reached, requests are answered with 503. */
  readonly db: Database;
  /** Handle on it for changes that are recorded in the audit log. */
  readonly changes: AmbientDatabase;
  /** Receives the events of the audit log. */
  readonly auditEvents: AuditEventSink;
  /** Things that the routes change. */
  readonly auditTargets: AuditTargets;
  readonly registry: Registry;
  readonly logger: Logger;
  /** Routes of resources, besides health, metrics, keys, the audit log and documentation. */
  readonly routes: readonly Routes[];
  /** Authenticators of tokens and sessions, with the cookies of sessions. Default: only API keys. */
  readonly authenticators?: ServerDeps['authenticators'];
  readonly cookies?: ServerDeps['cookies'];
  /** Tables in which applications were named before there was a registry. Default: none. */
  readonly nameSources?: readonly NameSource[];
  /** Configuration of realtime channels, which need `realtimeMigrations`. Default: there are none. */
  readonly realtime?: RealtimeConfig | undefined;
  /** Checks of `/health/ready` besides that of the database. Default: none. */
  readonly checks?: readonly ReadinessCheck[];
}

/** A running gateway. */
export interface Gateway {
  /**
   * Address that it listens on, with the real port when the configured one was 0:
   * `http://127.0.0.1:8080`.
   */
  readonly url: string;
  /**
   * Stops listening, lets running requests finish, and cuts off those that have not after
   * `limitMs`. Connections of channels have the time of their own configuration. The database stays
   * open. May be called twice.
   */
  close(limitMs: number): Promise<void>;
}

/**
 * Builds the server and listens.
 * @throws PlatformError `LISTEN_FAILED` when the address is not available
 */
export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  const { config, db, registry, logger } = deps;
  const record = createChangeRecorder(deps.auditEvents);
  const access = startAccess(deps, record);
  addProcessMetrics(registry);
  addPoolMetrics(registry, () => db.poolStats());
  addApplicationMetrics(registry, () => readUsage(db, 'all'));
  const checks = [databaseCheck(db), ...(deps.checks ?? [])];
  const realtime = deps.realtime && openRealtime(deps, access, deps.realtime);
  const ofRealtime = realtime && createRealtimeRoutes({ db, changes: deps.changes, ...realtime });
  const audit = {
    db: deps.changes,
    record,
    targets: {
      ...createKeyTargets(access.keys),
      ...createApplicationTargets(access.applications),
      ...createErasureTargets(deps.changes),
      ...ofRealtime?.auditTargets,
      ...deps.auditTargets,
    },
  };
  const routes: Routes[] = [
    ...deps.routes,
    (scope) => auditRoutes(scope, db),
    ...(ofRealtime?.routes ?? []),
    ...(realtime ? [(scope: App) => channelRoutes(scope, realtime)] : []),
  ];
  const onLimits = (limits: OperationLimits): void => realtime?.limitBy(limits);
  const app = await buildServer({ ...deps, ...access, checks, audit, routes, onLimits });
  await listen(app, config).catch(async (error: unknown) => {
    await realtime?.close();
    await access.close();
    throw error;
  });
  let closed: Promise<void> | undefined;
  const closeAll = async (limitMs: number): Promise<void> => {
    // Clients of channels come back together: they are sent away one after another.
    const drained = realtime?.close();
    await Promise.all([drained, closeWithin(app, limitMs, logger)]);
    await access.close();
  };
  return {
    url: listeningUrl(app, config.host),
    close: (limitMs) => {
      closed ??= closeAll(limitMs);
      return closed;
    },
  };
}

function openRealtime(
  { config, db, registry, logger, authenticators }: GatewayDeps,
  { keys, states }: Access,
  realtime: RealtimeConfig,
): Realtime {
  const hosts = ['localhost', '127.0.0.1', '[::1]', toUrlHost(config.host)];
  const own = hosts.map((host) => `http://${host}:${config.port}`);
  return startRealtime({
    ...{ db, registry, logger },
    access: config.access,
    authenticators: { keys, tokens: authenticators?.tokens },
    defaultApplication: config.defaultApplication,
    states,
    config: realtime,
    allowedOrigins: [...config.corsOrigins, ...own],
  });
}

/** Keys and applications, which requests are checked by, with the work behind them. */
interface Access extends Pick<ServerDeps, 'states' | 'limits'> {
  readonly keys: ApiKeys;
  readonly applications: ApplicationRegistry;
  close(): Promise<void>;
}

function startAccess(
  { config, db, changes, logger, nameSources = [] }: GatewayDeps,
  record: RecordChange,
): Access {
  const warnings = new RepeatedWarnings(undefined, warnEveryMs);
  const warnOf = (what: string) => (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    const code = error instanceof PlatformError ? error.code : 'defect';
    warnings.warn(logger, `${code}: ${what}`, `${what}: ${reason}`);
  };
  const keys = new ApiKeys(changes, {
    onCheckError: warnOf('API keys in use are not checked, and refused after ten seconds'),
    onLastUsedError: warnOf('the last use of API keys was not written'),
  });
  const states = new KnownApplications(db, {
    register: createRecordedRegistration(db, record),
    onError: warnOf('states of applications are not read, or new names not registered'),
  });
  const discovery = new NameDiscovery(db, {
    onError: warnOf('names of applications that existed before are not registered'),
  });
  const limits = new LimitDirectory(db, {
    defaults: toDefaultLimits(config),
    onError: warnOf('limits of applications are not read'),
  });
  void states.start();
  void limits.start();
  void discovery.start(nameSources);
  return {
    keys,
    states,
    limits,
    applications: new ApplicationRegistry(changes),
    async close() {
      await Promise.all([keys.close(), states.close(), limits.close(), discovery.close()]);
    },
  };
}

async function listen(app: App, { host, port }: GatewayConfig): Promise<void> {
  try {
    await app.listen({ host, port, backlog });
  } catch (error) {
    await app.close();
    throw toListenError(error, `http://${toUrlHost(host)}:${port}`);
  }
}

function toListenError(error: unknown, url: string): PlatformError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const advice: Readonly<Record<string, string>> = {
    EADDRINUSE: `${url} is taken by another process. Stop that one, or set POSTHASTE_PORT to another port.`,
    EACCES: `${url} needs privileges that this process does not have. Set POSTHASTE_PORT to a port above 1023.`,
    EADDRNOTAVAIL: `${url} is not an address of this machine. Set POSTHASTE_HOST to one that is.`,
    ENOTFOUND: `${url} has a host name that does not resolve. Set POSTHASTE_HOST to an address of this machine.`,
  };
  const message = advice[String(code)] ?? `the server cannot listen on ${url}: ${String(error)}`;
  return new PlatformError('LISTEN_FAILED', message, { cause: error });
}

async function closeWithin(app: App, limitMs: number, logger: Logger): Promise<void> {
  const timer = setTimeout(() => {
    logger.warn({ limitMs }, 'requests were cut off because they did not end within the limit');
    app.server.closeAllConnections();
  }, limitMs);
  await app.close();
  clearTimeout(timer);
}

function listeningUrl(app: App, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  return `http://${toUrlHost(host)}:${port}`;
}

function toUrlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
