import { ApiKeys, accessMigrations, type Caller, type KeyRequest } from '@posthaste/access';
import { ambientDatabase, type Database, migrate, openEmbedded } from '@posthaste/postgres';
import { platformSettings, readSettings, signInSettings } from '@posthaste/settings';
import type { App, Routes } from '../src/app.js';
import { createPeopleRoutes } from '../src/people-routes.js';
import { testAudit, testServer } from './test-server.js';

/** Gateway with real API keys, sessions and tokens, and routes that say who calls. */
export interface TestPeople {
  readonly app: App;
  readonly db: Database;
  readonly keys: ApiKeys;
  /** Creates a key and returns it with its token. Default: all scopes, all applications. */
  createKey(request?: Partial<KeyRequest>): ReturnType<ApiKeys['createKey']>;
  /** Returns the caller of a short-lived token. */
  authenticate(token: string): Promise<Caller>;
  /** Closes the gateway. Its database stays. */
  close(): Promise<void>;
}

/** Routes that answer with the applications of the caller. */
const testRoutes: Routes = (app) => {
  const read = { scope: 'callbacks:read', application: 'filter' } as const;
  const write = { scope: 'callbacks:write', application: 'caller', audit: 'none' } as const;
  app.get('/v1/things', { config: read }, ({ applications }) => ({ applications }));
  app.post('/v1/things', { config: write }, ({ applications }) => ({ applications }));
};

/** Opens an embedded database for `openTestPeople`. */
export async function createPeopleDatabase(): Promise<Database> {
  const db = await openEmbedded();
  await migrate(db, [accessMigrations]);
  return db;
}

/** Opens a gateway with keys. Default: on plain HTTP, for browsers on this machine. */
export async function openTestPeople(
  db: Database,
  {
    access = 'keys',
    ...environment
  }: { access?: 'keys' | 'loopback' } & Record<string, string> = {},
): Promise<TestPeople> {
  const changes = ambientDatabase(db);
  const keys = new ApiKeys(changes);
  const people = createPeopleRoutes({
    db: changes,
    logger: { warn: () => undefined },
    config: {
      ...readSettings(environment, { ...signInSettings, publicUrl: platformSettings.publicUrl }),
      secretKey: Buffer.alloc(32, 9),
      access,
    },
  });
  const { app } = await testServer(
    { ...environment, POSTHASTE_ACCESS: access },
    {
      keys,
      routes: [...people.routes, testRoutes],
      authenticators: people.authenticators,
      cookies: people.cookies,
      audit: testAudit(changes, people.auditTargets),
    },
  );
  return {
    app,
    db,
    keys,
    createKey: (request = {}) => keys.createKey({ name: 'test', scopes: ['admin'], ...request }),
    authenticate: async (token) => {
      const { tokens } = people.authenticators;
      if (!tokens) throw new Error('the routes of people have no tokens');
      return tokens.authenticate(token);
    },
    async close() {
      await app.close();
      await Promise.all([people.close(), keys.close()]);
    },
  };
}
