import type { AddressInfo } from 'node:net';
import {
  ApiKeys,
  ApplicationRegistry,
  accessMigrations,
  createChangeRecorder,
  createRecordedRegistration,
  type KeyRequest,
  KnownApplications,
  LimitDirectory,
} from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { eventstreamMigrations, PostgresLog } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { ambientDatabase, type Database, migrate, openPostgres } from '@posthaste/postgres';
import { platformSettings, readSettings, signInSettings } from '@posthaste/settings';
import { createTestDatabase, type TestDatabase } from '@posthaste/testbed';
import { Registry } from 'prom-client';
import { toDefaultLimits } from '../src/access/application-limits.js';
import type { App } from '../src/app.js';
import {
  createApplicationTargets,
  createErasureTargets,
  createKeyTargets,
} from '../src/audit/own-targets.js';
import { createCallbackRoutes } from '../src/callback-routes.js';
import { createErasureRoutes } from '../src/erasure-routes.js';
import { createEventRoutes } from '../src/event-routes.js';
import { createPeopleRoutes } from '../src/people-routes.js';
import { createRealtimeRoutes } from '../src/realtime-routes.js';
import { auditRoutes } from '../src/routes/audit.js';
import { type Call, createCaller } from './caller.js';
import { testSecretKey } from './test-callbacks.js';
import { testAudit, testConfig, testServer } from './test-server.js';

/** Gateway with all its routes and real API keys, sessions and tokens. */
export interface TestPlatform {
  readonly app: App;
  readonly db: Database;
  readonly keys: ApiKeys;
  /** Creates a key and returns its token. Default: all scopes, all applications. */
  createKey(request?: Partial<KeyRequest>): Promise<string>;
  /** Returns the caller with this token; without one, with no credential. */
  as(token?: string): Call;
  /** Listens on a free port and returns the URL. */
  listen(): Promise<string>;
  /** Closes the gateway. Its database stays. */
  close(): Promise<void>;
}

/** Opens a migrated database for gateways. */
export async function createPlatformDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url });
  await migratePlatform(db);
  await db.close();
  return database;
}

/** Migrates an empty database for gateways. */
export async function migratePlatform(db: Database): Promise<void> {
  await migrate(db, [
    accessMigrations,
    callbacksMigrations,
    eventstreamMigrations,
    eventLogMigrations,
    realtimeMigrations,
  ]);
  await ensurePartitions(db, { daysAhead: 1 });
}

/** Opens a gateway on a database of {@link createPlatformDatabase}. */
export async function openTestPlatform(
  { url }: Pick<TestDatabase, 'url'>,
  environment: Record<string, string> = {},
): Promise<TestPlatform> {
  const db = await openPostgres({ url, maxConnections: 8 });
  const changes = ambientDatabase(db);
  const keys = new ApiKeys(changes);
  const applications = new ApplicationRegistry(changes);
  const states = new KnownApplications(db, {
    register: createRecordedRegistration(db, createChangeRecorder()),
  });
  await states.start();
  const limits = new LimitDirectory(db, {
    defaults: toDefaultLimits(testConfig(environment)),
    refreshMs: 50,
  });
  await limits.start();
  const callbacks = createCallbackRoutes({
    db,
    changes,
    config: {
      attemptTimeoutMs: 15_000,
      leaseMs: 30_000,
      maxAttempts: 10_000,
      minRetryDelayMs: 1_000,
      maxReplays: 1_000,
      mailRecipients: [],
      allowLoopback: true,
      allowedNetworks: [],
      secretKey: testSecretKey,
    },
  });
  const registry = new Registry();
  const events = createEventRoutes({
    db,
    changes,
    logger: { warn: () => undefined },
    registry,
    config: {
      maxFollowers: 10,
      maxFollowersPerCaller: 10,
      maxTopics: 1_000,
      idempotencyMs: 86_400_000,
      eventRetentionMs: 604_800_000,
      defaultApplication: '',
      topicApplications: [],
      groupApplications: [],
      maxReplays: 1_000,
    },
  });
  const people = createPeopleRoutes({
    db: changes,
    logger: { warn: () => undefined },
    config: {
      ...readSettings(environment, { ...signInSettings, publicUrl: platformSettings.publicUrl }),
      ...{ secretKey: testSecretKey, access: 'keys' },
    },
  });
  const log = new PostgresLog({ db });
  const realtime = createRealtimeRoutes({
    ...{ db, changes, log, configured: [] },
    onNamespacesChanged: async () => undefined,
  });
  const { app } = await testServer(
    { POSTHASTE_ACCESS: 'keys', ...environment },
    {
      ...{ keys, registry, states, applications, limits },
      ...{ authenticators: people.authenticators, cookies: people.cookies },
      routes: [
        ...callbacks.routes,
        ...events.routes,
        ...people.routes,
        ...realtime.routes,
        ...createErasureRoutes(changes),
        (scope) => auditRoutes(scope, db),
      ],
      audit: testAudit(changes, {
        ...createKeyTargets(keys),
        ...createApplicationTargets(applications),
        ...createErasureTargets(changes),
        ...callbacks.auditTargets,
        ...events.auditTargets,
        ...people.auditTargets,
        ...realtime.auditTargets,
      }),
    },
  );
  return {
    app,
    db,
    keys,
    async createKey(request = {}) {
      const { token } = await keys.createKey({ name: 'test', scopes: ['admin'], ...request });
      return token;
    },
    as: (token) =>
      createCaller(app, token === undefined ? {} : { authorization: `Bearer ${token}` }),
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 });
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    },
    async close() {
      await app.close();
      await Promise.all([callbacks.close(), events.close(), people.close(), log.close()]);
      await Promise.all([keys.close(), states.close(), limits.close()]);
      await db.close();
    },
  };
}
