import { ambientDatabase, type Database } from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import {
  applicationSettings,
  gatewaySettings,
  readSettings,
  signInSettings,
} from '@posthaste/settings';
import { Registry } from 'prom-client';
import type { App, RouteAccess } from '../app.js';
import { createCallbackRoutes } from '../callback-routes.js';
import { toGatewayConfig } from '../config.js';
import { createErasureRoutes } from '../erasure-routes.js';
import { createEventRoutes } from '../event-routes.js';
import { createPeopleRoutes } from '../people-routes.js';
import { createRealtimeRoutes } from '../realtime-routes.js';
import { auditRoutes } from '../routes/audit.js';
import { channelRoutes } from '../routes/realtime/channel-routes.js';
import { buildServer, type ServerDeps } from '../server.js';

/**
 * Renders the document of `/openapi.json`, formatted for people who compare releases. Needs no
 * database.
 */
export function renderOpenApiDocument(): Promise<string> {
  return readFromServer((app) => `${JSON.stringify(app.swagger(), undefined, 2)}\n`);
}

/** Lists all routes of a gateway with their access. Needs no database. */
export function listRoutes(): Promise<RouteAccess[]> {
  return readFromServer((app) => app.listRouteAccess());
}

/** Builds a server without a database, and reads something from it. */
async function readFromServer<Result>(read: (app: App) => Result): Promise<Result> {
  const changes = ambientDatabase(unreachableDatabase);
  const callbacks = createCallbackRoutes({
    db: unreachableDatabase,
    changes,
    config: {
      attemptTimeoutMs: 15_000,
      leaseMs: 30_000,
      maxAttempts: 10_000,
      minRetryDelayMs: 1_000,
      maxReplays: 10,
      mailRecipients: [],
      allowLoopback: false,
      allowedNetworks: [],
      secretKey: new Uint8Array(32),
    },
  });
  const logger = createLogger({ level: 'silent', service: 'gateway' });
  const registry = new Registry();
  const events = createEventRoutes({
    db: unreachableDatabase,
    changes,
    logger,
    registry,
    config: {
      maxFollowers: 0,
      maxFollowersPerCaller: 0,
      idempotencyMs: 0,
      eventRetentionMs: 0,
      maxTopics: 0,
      defaultApplication: '',
      topicApplications: [],
      groupApplications: [],
      maxReplays: 0,
    },
  });
  const people = createPeopleRoutes({
    db: unreachableDatabase,
    logger,
    config: { ...readSettings({}, signInSettings), secretKey: new Uint8Array(32), access: 'keys' },
  });
  const app = await buildServer({
    config: toGatewayConfig(readSettings({}, { ...gatewaySettings, ...applicationSettings })),
    logger,
    registry,
    keys: unreachableKeys,
    audit: undefined,
    states: unreachableStates,
    applications: unreachableApplications,
    checks: [],
    routes: [
      ...callbacks.routes,
      ...events.routes,
      ...people.routes,
      ...createErasureRoutes(unreachableDatabase),
      (scope) => auditRoutes(scope, changes),
      ...createRealtimeRoutes({
        ...{ db: unreachableDatabase, changes, configured: [] },
        log: { listTopics: refuse, isForeignTopic: refuse },
        onNamespacesChanged: refuse,
      }).routes,
      (scope) => channelRoutes(scope, unreachableChannels),
    ],
  });
  const result = read(app);
  await app.close();
  await Promise.all([callbacks.close(), events.close(), people.close()]);
  return result;
}

const refuse = (): never => {
  throw new Error('the API document is rendered without a database and without keys');
};

const unreachableDatabase: Database = {
  kind: 'postgres',
  query: refuse,
  transaction: refuse,
  listen: refuse,
  ping: refuse,
  poolStats: refuse,
  close: refuse,
};

const unreachableKeys: ServerDeps['keys'] = {
  findCached: refuse,
  hasEnded: refuse,
  authenticate: refuse,
  createKey: refuse,
  listKeys: refuse,
  revokeKey: refuse,
};

const unreachableStates: ServerDeps['states'] = {
  isReady: true,
  start: refuse,
  isDeleting: refuse,
  isRegistered: refuse,
  register: refuse,
};

const unreachableChannels: Parameters<typeof channelRoutes>[1] = {
  server: { handlePublish: refuse, handleUpgrade: refuse },
  ready: Promise.resolve(),
  setAddress: refuse,
};

const unreachableApplications: ServerDeps['applications'] = {
  create: refuse,
  get: refuse,
  list: refuse,
  change: refuse,
  usageOf: refuse,
  removalsOf: refuse,
};
