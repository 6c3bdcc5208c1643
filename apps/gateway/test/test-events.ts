import { accessMigrations } from '@posthaste/access';
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
import { Registry } from 'prom-client';
import type { App } from '../src/app.js';
import {
  createEventRoutes,
  type EventRoutes,
  type EventRoutesConfig,
} from '../src/event-routes.js';
import type { WarningLog } from '../src/http/repeated-warnings.js';
import type { ServerDeps } from '../src/server.js';
import { type Call, createCaller } from './caller.js';
import { type LogLine, testAudit, testServer } from './test-server.js';

export type Engine = 'postgres' | 'embedded';

/** Server with the routes of events, on a database of its own. */
export interface TestEvents {
  readonly app: App;
  readonly db: Database;
  /** Log on the same database, apart from that of the routes. */
  readonly log: PostgresLog;
  readonly events: EventRoutes;
  /** Creates the routes of another gateway on the same database. The test closes them. */
  another(): EventRoutes;
  readonly logs: readonly LogLine[];
  readonly registry: Registry;
  readonly call: Call;
  close(): Promise<void>;
}

/** Options of a test server. */
export interface TestEventsOptions {
  /** Default `postgres`. */
  readonly engine?: Engine;
  readonly deps?: Partial<ServerDeps>;
  /** Settings of the gateway, as environment variables. */
  readonly environment?: Record<string, string>;
  readonly config?: Partial<EventRoutesConfig>;
  /** Default: no log. */
  readonly logger?: WarningLog;
}

/** Opens a server with the routes of events, on a new database. */
export async function openTestEvents({
  engine = 'postgres',
  deps = {},
  environment = {},
  config = {},
  logger = { warn: () => undefined },
}: TestEventsOptions = {}): Promise<TestEvents> {
  const database = engine === 'postgres' ? await createTestDatabase() : undefined;
  const db = await (database
    ? openPostgres({ url: database.url, maxConnections: 8 })
    : openEmbedded({}));
  await migrate(db, [accessMigrations, eventstreamMigrations, eventLogMigrations]);
  const log = new PostgresLog({ db });
  const registry = new Registry();
  const changes = ambientDatabase(db);
  const createRoutes = (): EventRoutes =>
    createEventRoutes({
      db,
      changes,
      logger,
      registry,
      config: {
        maxFollowers: 10,
        maxFollowersPerCaller: 10,
        maxTopics: 1_000,
        defaultApplication: '',
        topicApplications: [],
        groupApplications: [],
        maxReplays: 10,
        idempotencyMs: 86_400_000,
        eventRetentionMs: 604_800_000,
        ...config,
      },
    });
  const events = createRoutes();
  const audit = testAudit(changes, events.auditTargets);
  const { app, logs } = await testServer(environment, { routes: events.routes, audit, ...deps });
  return {
    app,
    db,
    log,
    events,
    another: createRoutes,
    logs,
    registry,
    call: createCaller(app),
    async close() {
      await app.close();
      await events.close();
      await log.close();
      await db.close();
      await database?.drop();
    },
  };
}
