import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiKeys, type KeyRequest } from '@posthaste/access';
import {
  type ClientOptions,
  type Config,
  connect,
  createApiKeyConfig,
  type Subscription,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { ambientDatabase, type Database, openPostgres } from '@posthaste/postgres';
import { Registry } from 'prom-client';
import { afterAll, beforeAll } from 'vitest';
import { type Gateway, startGateway } from '../src/gateway.js';
import type { RealtimeConfig } from '../src/realtime/realtime.js';
import { readRealtimeFile } from '../src/realtime/realtime-file.js';
import { createPlatformDatabase } from './test-platform.js';
import { testConfig, testLogger } from './test-server.js';

/** Gateway with realtime channels, which listens. */
export interface TestRealtime {
  readonly gateway: Gateway;
  readonly keys: ApiKeys;
  readonly db: Database;
  readonly registry: Registry;
  /** Lines that the gateway has logged, of every level. */
  readonly logs: readonly object[];
  /** Creates a key. Default: all scopes, the application `shop`. */
  createKey(request?: Partial<KeyRequest>): Promise<string>;
  /** Connects with a credential, by our client. */
  connect(credential: string, options?: ClientOptions): Promise<WebSocketClient>;
  /** Connects with any configuration of our client. */
  connectBy(config: Config, options?: ClientOptions): Promise<WebSocketClient>;
  /** Publishes one event by HTTP. Returns the status. */
  post(credential: string, channel: string, event: string): Promise<number>;
  close(): Promise<void>;
}

/** Reads a configuration of realtime as a gateway does, from a file. */
export async function realtimeFile(content: object): Promise<Pick<RealtimeConfig, 'file'>> {
  const path = join(await mkdtemp(join(tmpdir(), 'realtime-')), 'realtime.json');
  await writeFile(path, JSON.stringify(content));
  return { file: readRealtimeFile(path) };
}

/** Takes events of a subscription until there are `count`. */
export async function takeEvents(subscription: Subscription, count: number): Promise<string[]> {
  const events: string[] = [];
  for await (const { type, event } of subscription) {
    if (type === 'data') events.push(event);
    if (events.length === count) break;
  }
  return events;
}

/** Opens gateways on a database of the test file, and closes all of them behind its tests. */
export function useGateways(): {
  open(
    environment?: Record<string, string>,
    realtime?: Partial<RealtimeConfig>,
  ): Promise<TestRealtime>;
} {
  let database: Awaited<ReturnType<typeof createPlatformDatabase>>;
  const gateways: TestRealtime[] = [];
  beforeAll(async () => {
    database = await createPlatformDatabase();
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()));
    await database?.drop();
  });
  return {
    async open(environment, realtime) {
      const gateway = await openTestRealtime(database, environment, realtime);
      gateways.push(gateway);
      return gateway;
    },
  };
}

/** Opens a gateway on a database of `createPlatformDatabase`. Default: it needs keys. */
export async function openTestRealtime(
  { url }: { readonly url: string },
  environment: Record<string, string> = {},
  realtime: Partial<RealtimeConfig> = {},
): Promise<TestRealtime> {
  const db = await openPostgres({ url, maxConnections: 8 });
  const changes = ambientDatabase(db);
  const keys = new ApiKeys(db);
  const registry = new Registry();
  const { logs, logger } = testLogger('trace');
  const config = testConfig({
    ...{ POSTHASTE_PORT: '0', POSTHASTE_ACCESS: 'keys', POSTHASTE_MAX_EVENT_LOOP_DELAY: '0' },
    ...environment,
  });
  const gateway = await startGateway({
    ...{ config, db, changes, registry, logger, routes: [], auditTargets: {} },
    realtime: {
      ...{
        realtimeKeepAliveMs: 60_000,
        realtimeDrainMs: 0,
        topicApplications: [],
        maxTopics: 1_000,
      },
      file: readRealtimeFile(undefined),
      ...realtime,
    },
    auditEvents: { append: async () => undefined },
  });
  const clients: WebSocketClient[] = [];
  const connectBy = async (config: Config, options?: ClientOptions): Promise<WebSocketClient> => {
    const client = await connect(config, options);
    clients.push(client);
    return client;
  };
  return {
    ...{ gateway, keys, db, registry, logs },
    async createKey(request = {}) {
      const wanted = { name: 'test', scopes: ['admin'], applications: ['shop'] } as const;
      return (await keys.createKey({ ...wanted, ...request })).token;
    },
    connect(credential, options) {
      const endpoint = `${gateway.url}/event`;
      return connectBy(createApiKeyConfig(endpoint, undefined, credential), options);
    },
    connectBy,
    async post(credential, channel, event) {
      const response = await fetch(`${gateway.url}/event`, {
        method: 'POST',
        headers: { 'x-api-key': credential, 'content-encoding': 'amz-1.0' },
        body: JSON.stringify({ channel, events: [event] }),
      });
      await response.text();
      return response.status;
    },
    async close() {
      for (const client of clients) client.close();
      await gateway.close(2_000);
      await keys.close();
      await db.close();
    },
  };
}
