import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createTestDatabase } from '@posthaste/testbed';
import type { InjectOptions } from 'fastify';
import type { App } from '../src/app.js';
import {
  type CallbackRoutes,
  type CallbackRoutesConfig,
  createCallbackRoutes,
} from '../src/callback-routes.js';
import type { ServerDeps } from '../src/server.js';
import { testServer } from './test-server.js';

/** A server with the routes of callbacks, on a database of its own. */
export interface TestCallbacks {
  readonly app: App;
  readonly db: Database;
  readonly callbacks: CallbackRoutes;
  /** Sends a request; a body that is not text goes as JSON. Parses the answer. */
  call<T = unknown>(
    method: Method,
    url: string,
    body?: unknown,
    headers?: Headers,
  ): Promise<Answer<T>>;
  close(): Promise<void>;
}

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  /** As text. */
  readonly body: string;
  /** Parsed; what the test says that it is. */
  readonly json: T;
}

type Method = NonNullable<InjectOptions['method']>;
type Headers = Readonly<Record<string, string>>;

/** What the secrets of tests are sealed with. */
export const testSecretKey: Uint8Array = new Uint8Array(32).fill(7);

export async function openTestCallbacks(
  config: Partial<CallbackRoutesConfig> = {},
  deps: Partial<ServerDeps> = {},
  environment: Record<string, string> = {},
): Promise<TestCallbacks> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url, maxConnections: 8 });
  await migrate(db, [callbacksMigrations]);
  await ensurePartitions(db, { daysAhead: 1 });
  const callbacks = createCallbackRoutes({
    db,
    config: {
      attemptTimeoutMs: 15_000,
      leaseMs: 30_000,
      allowLoopback: false,
      allowedNetworks: [],
      secretKey: testSecretKey,
      ...config,
    },
  });
  const { app } = await testServer(environment, { routes: callbacks.routes, ...deps });
  return {
    app,
    db,
    callbacks,
    async call<T>(method: Method, url: string, body?: unknown, headers: Headers = {}) {
      const answer = await app.inject({
        method,
        url,
        headers: {
          host: 'localhost',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: answer.body,
        json: (answer.body === '' ? undefined : JSON.parse(answer.body)) as T,
      };
    },
    async close() {
      await app.close();
      await callbacks.close();
      await db.close();
      await database.drop();
    },
  };
}
