import { ApiKeys, ApplicationRegistry, accessMigrations, type KeyRequest } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { eventstreamMigrations, PostgresLog } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import {
  ambientDatabase,
  type Database,
  migrate,
  openEmbedded,
  openPostgres,
} from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import type { RouteOptions } from 'fastify';
import { Registry } from 'prom-client';
import type { App, Routes } from '../src/app.js';
import type { AuditDeps } from '../src/audit/audited-changes.js';
import { createApplicationTargets, createKeyTargets } from '../src/audit/own-targets.js';
import { createCallbackRoutes } from '../src/callback-routes.js';
import { startEventOutbox } from '../src/event-outbox.js';
import { createEventRoutes } from '../src/event-routes.js';
import { createRealtimeRoutes } from '../src/realtime-routes.js';
import { auditRoutes } from '../src/routes/audit.js';
import { type Call, createCaller } from './caller.js';
import { testSecretKey } from './test-callbacks.js';
import type { Engine } from './test-events.js';
import { testAudit, testLogger, testServer } from './test-server.js';

/** Entry of the audit log, as the API answers it. */
export interface EntryView {
  readonly id: string;
  readonly time: string;
  readonly application: string | null;
  readonly actor: { readonly kind: string; readonly id: string; readonly name: string };
  readonly action: string;
  readonly target: { readonly kind: string; readonly id: string; readonly name: string };
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly changed: readonly string[];
  readonly from: { readonly address: string | null; readonly requestId: string | null };
}

/** Server with all routes and API keys, on a database of its own, that records changes. */
export interface TestAudit {
  readonly db: Database;
  readonly log: PostgresLog;
  /** Calls with an API key for all applications. */
  readonly call: Call;
  /** Actions that routes declare. */
  readonly declared: ReadonlySet<string>;
  /** Creates an API key, not by a route. Returns a caller that sends it. */
  withKey(request: KeyRequest): Promise<Call>;
  /** Creates an API key, not by a route. Returns its token. */
  createToken(request: KeyRequest): Promise<string>;
  /** Listens, and returns the URL. */
  listen(): Promise<string>;
  /** Returns the page of entries that a query finds. */
  entries(query?: string): Promise<readonly EntryView[]>;
  close(): Promise<void>;
}

/** Opens such a server. */
export async function openTestAudit(engine: Engine, deps?: Partial<AuditDeps>): Promise<TestAudit> {
  const database = engine === 'postgres' ? await createTestDatabase() : undefined;
  const db = await (database
    ? openPostgres({ url: database.url, maxConnections: 6 })
    : openEmbedded());
  await migrate(db, [
    accessMigrations,
    callbacksMigrations,
    eventstreamMigrations,
    eventLogMigrations,
    realtimeMigrations,
  ]);
  await ensurePartitions(db, { daysAhead: 1 });
  const changes = ambientDatabase(db);
  const { logger } = testLogger();
  const outbox = startEventOutbox({ db, callbackEvents: [], logger });
  const callbacks = createCallbackRoutes({
    db,
    changes,
    config: callbackConfig,
    events: outbox.events,
  });
  const events = createEventRoutes({
    db,
    changes,
    logger,
    registry: new Registry(),
    config: eventConfig,
  });
  const log = new PostgresLog({ db });
  const realtime = createRealtimeRoutes({
    ...{ db, changes, log, configured: [] },
    onNamespacesChanged: async () => undefined,
  });
  const keys = new ApiKeys(changes);
  const applications = new ApplicationRegistry(changes);
  const targets = {
    ...createKeyTargets(keys),
    ...createApplicationTargets(applications),
    ...callbacks.auditTargets,
    ...events.auditTargets,
    ...realtime.auditTargets,
  };
  // The routes of keys and applications belong to the server itself.
  const declared = new Set([
    'api-key.created',
    'api-key.revoked',
    'application.created',
    'application.updated',
  ]);
  const all: Routes[] = [
    ...callbacks.routes,
    ...events.routes,
    ...realtime.routes,
    (scope: App) => auditRoutes(scope, db),
  ];
  const { app } = await testServer(
    { POSTHASTE_ACCESS: 'keys', POSTHASTE_RATE_LIMIT: '0' },
    {
      keys,
      applications,
      routes: all.map((routes) => (scope: App) => {
        scope.addHook('onRoute', (route) => collectAction(route, declared));
        return routes(scope);
      }),
      audit: { ...testAudit(changes, targets, outbox.auditEvents), targets, ...deps },
    },
  );
  const createToken = async (request: KeyRequest): Promise<string> =>
    (await keys.createKey(request)).token;
  const withKey = async (request: KeyRequest): Promise<Call> => {
    const token = await createToken(request);
    return createCaller(app, { authorization: `Bearer ${token}`, 'user-agent': 'test/1' });
  };
  const call = await withKey({ name: 'the admin', scopes: ['admin'] });
  return {
    db,
    log,
    call,
    declared,
    withKey,
    createToken,
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    async entries(query = '') {
      const page = await call<{ items: EntryView[] }>('GET', `/v1/audit?limit=500&${query}`);
      if (page.status !== 200) throw new Error(page.body);
      return page.json.items;
    },
    async close() {
      await app.close();
      await Promise.all([callbacks.close(), events.close(), outbox.close(), keys.close()]);
      await log.close();
      await db.close();
      await database?.drop();
    },
  };
}

function collectAction({ config }: RouteOptions, actions: Set<string>): void {
  if (typeof config?.audit === 'object') actions.add(config.audit.action);
}

const callbackConfig = {
  attemptTimeoutMs: 15_000,
  leaseMs: 30_000,
  maxAttempts: 10_000,
  minRetryDelayMs: 1_000,
  maxReplays: 10,
  mailRecipients: [],
  allowLoopback: false,
  allowedNetworks: [],
  secretKey: testSecretKey,
};

const eventConfig = {
  maxFollowers: 10,
  maxFollowersPerCaller: 10,
  maxTopics: 1_000,
  defaultApplication: '',
  topicApplications: [],
  groupApplications: [],
  maxReplays: 10,
  idempotencyMs: 86_400_000,
  eventRetentionMs: 604_800_000,
};
