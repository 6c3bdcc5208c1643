import { ApiKeys, type KeyRequest } from '@posthaste/access';
import {
  type ClientOptions,
  connect,
  createApiKeyConfig,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { ambientDatabase, type Database, openPostgres } from '@posthaste/postgres';
import { Registry } from 'prom-client';
import { type Gateway, startGateway } from '../src/gateway.js';
import type { RealtimeConfig } from '../src/realtime/realtime.js';
import { readRealtimeFile } from '../src/realtime/realtime-file.js';
import { testConfig, testLogger } from './test-server.js';

/** Gateway with realtime channels, which listens. */
export interface TestRealtime {
  readonly gateway: Gateway;
  readonly keys: ApiKeys;
  readonly db: Database;
  readonly registry: Registry;
  /** Creates a key. Default: all scopes, the application `shop`. */
  createKey(request?: Partial<KeyRequest>): Promise<string>;
  /** Connects with a credential, by our client. */
  connect(credential: string, options?: ClientOptions): Promise<WebSocketClient>;
  /** Publishes one event by HTTP. Returns the status. */
  post(credential: string, channel: string, event: string): Promise<number>;
  close(): Promise<void>;
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
  const { logger } = testLogger();
  const config = testConfig({
    ...{ POSTHASTE_PORT: '0', POSTHASTE_ACCESS: 'keys', POSTHASTE_MAX_EVENT_LOOP_DELAY: '0' },
    ...environment,
  });
  const gateway = await startGateway({
    ...{ config, db, changes, registry, logger, routes: [], auditTargets: {} },
    realtime: {
      ...{ realtimeDrainMs: 0, topicApplications: [] },
      file: readRealtimeFile(undefined),
      ...realtime,
    },
    auditEvents: { append: async () => undefined },
  });
  const clients: WebSocketClient[] = [];
  return {
    ...{ gateway, keys, db, registry },
    async createKey(request = {}) {
      const wanted = { name: 'test', scopes: ['admin'], applications: ['shop'] } as const;
      return (await keys.createKey({ ...wanted, ...request })).token;
    },
    async connect(credential, options) {
      const endpoint = `${gateway.url}/event`;
      const client = await connect(createApiKeyConfig(endpoint, undefined, credential), options);
      clients.push(client);
      return client;
    },
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
