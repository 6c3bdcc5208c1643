import { accessMigrations } from '@posthaste/access';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { ambientDatabase, type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import type { App } from '../src/app.js';
import {
  type CallbackRoutes,
  type CallbackRoutesConfig,
  createCallbackRoutes,
} from '../src/callback-routes.js';
import type { ServerDeps } from '../src/server.js';
import { type Call, createCaller } from './caller.js';
import { testAudit, testServer } from './test-server.js';

/** Server with the routes of callbacks, on a database of its own. */
export interface TestCallbacks {
  readonly app: App;
  readonly db: Database;
  readonly callbacks: CallbackRoutes;
  readonly call: Call;
  close(): Promise<void>;
}

/** Key that encrypts the secrets of tests. */
export const testSecretKey: Uint8Array = new Uint8Array(32).fill(7);

/** Creates a callback and returns its id. */
export async function createCallback({ call }: TestCallbacks, body: object): Promise<string> {
  const answer = await call<{ id: string }>('POST', '/v1/callbacks', body);
  if (answer.status !== 201) throw new Error(`no callback was created: ${answer.body}`);
  return answer.json.id;
}

/** Returns a callback as the API shows it. */
export async function getCallback<T>({ call }: TestCallbacks, id: string): Promise<T> {
  return (await call<T>('GET', `/v1/callbacks/${id}`)).json;
}

/** Opens a server with the routes of callbacks, on a new Postgres database. */
export async function openTestCallbacks(
  config: Partial<CallbackRoutesConfig> = {},
  deps: Partial<ServerDeps> = {},
  environment: Record<string, string> = {},
): Promise<TestCallbacks> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url, maxConnections: 8 });
  await migrate(db, [accessMigrations, callbacksMigrations]);
  await ensurePartitions(db, { daysAhead: 1 });
  const changes = ambientDatabase(db);
  const callbacks = createCallbackRoutes({
    db,
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
      secretKey: testSecretKey,
      ...config,
    },
  });
  const audit = testAudit(changes, callbacks.auditTargets);
  const { app } = await testServer(environment, { routes: callbacks.routes, audit, ...deps });
  return {
    app,
    db,
    callbacks,
    call: createCaller(app),
    async close() {
      await app.close();
      await callbacks.close();
      await db.close();
      await database.drop();
    },
  };
}
