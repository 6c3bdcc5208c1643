import {
  type AuditEventSink,
  type Authenticator,
  type Caller,
  createChangeRecorder,
} from '@posthaste/access';
import { PlatformError } from '@posthaste/contracts';
import type { AmbientDatabase } from '@posthaste/postgres';
import { createLogger } from '@posthaste/service';
import { applicationSettings, gatewaySettings, readSettings } from '@posthaste/settings';
import { Registry } from 'prom-client';
import type { App } from '../src/app.js';
import type { AuditDeps } from '../src/audit/audited-changes.js';
import type { AuditTargets } from '../src/audit/audited-route.js';
import { createApplicationTargets, createKeyTargets } from '../src/audit/own-targets.js';
import { type GatewayConfig, gatewayFaults, toGatewayConfig } from '../src/config.js';
import type { KeyAdmin } from '../src/routes/keys.js';
import { buildServer, type ServerDeps } from '../src/server.js';

/** Line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface TestServer {
  readonly app: App;
  readonly registry: Registry;
  readonly logs: readonly LogLine[];
}

/** Returns the configuration of an environment. */
export function testConfig(environment: Record<string, string> = {}): GatewayConfig {
  return toGatewayConfig(
    readSettings(
      environment,
      { ...gatewaySettings, ...applicationSettings },
      { check: gatewayFaults },
    ),
  );
}

/** Creates a logger that keeps its lines. */
export function testLogger(level = 'debug') {
  const logs: LogLine[] = [];
  const write = (line: string) => void logs.push(JSON.parse(line));
  return { logs, logger: createLogger({ level, service: 'gateway', destination: { write } }) };
}

/** Builds a server for an environment, without a database. */
export async function testServer(
  environment: Record<string, string> = {},
  deps: Partial<ServerDeps> = {},
): Promise<TestServer> {
  const registry = new Registry();
  const { logs, logger } = testLogger();
  // A machine that runs tests lags; only the tests of overload want it noticed.
  const config = testConfig({ POSTHASTE_MAX_EVENT_LOOP_DELAY: '0', ...environment });
  const app = await buildServer({
    config,
    logger,
    registry,
    keys: testKeys({}),
    audit: undefined,
    states: allActive,
    applications: noApplications,
    checks: [],
    routes: [],
    ...deps,
  });
  return { app, registry, logs };
}

/** Returns what records the changes of routes, on a database with `accessMigrations`. */
export function testAudit(
  db: AmbientDatabase,
  targets: AuditTargets,
  events?: AuditEventSink,
): AuditDeps {
  const ownTargets = {
    ...createKeyTargets({ findKey: async () => undefined }),
    ...createApplicationTargets({ get: unused }),
  };
  return { db, record: createChangeRecorder(events), targets: { ...ownTargets, ...targets } };
}
const unused = () => Promise.reject(new Error('not part of this test'));

const noApplications: ServerDeps['applications'] = {
  create: unused,
  get: unused,
  list: unused,
  change: unused,
  usageOf: unused,
  removalsOf: unused,
};

/** States of applications without a database: all are active. */
const allActive: ServerDeps['states'] = {
  isReady: true,
  start: async () => undefined,
  isDeleting: () => false,
  isRegistered: () => true,
  register: async () => undefined,
};

/** Key of a test. It is for all applications unless it names some. */
export type TestKey = Pick<Caller, 'id' | 'name' | 'scopes'> & Partial<Caller>;

/** Returns an authenticator of keys by their token, without a database. */
export function testKeys(keys: Readonly<Record<string, TestKey>>): Authenticator & KeyAdmin {
  return {
    findCached: () => undefined,
    hasEnded: () => false,
    authenticate: async (token) => {
      const key = keys[token];
      if (!key) throw new PlatformError('KEY_INVALID', 'unknown');
      return { kind: 'key', applications: 'all', expiresAt: null, ...key };
    },
    createKey: unused,
    listKeys: unused,
    revokeKey: unused,
  };
}
