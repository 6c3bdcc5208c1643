import { ApiKeys, type KeyRequest } from '@posthaste/access';
import {
  connect,
  createConfig,
  type Subscription,
  type WebSocketClient,
} from '@posthaste/appsync-client';
import { createEnvelope } from '@posthaste/contracts';
import { type LogRecord, PostgresLog } from '@posthaste/eventstream';
import { toEventToPublish } from '@posthaste/eventstream/event-log';
import { ambientDatabase, type Database, openPostgres } from '@posthaste/postgres';
import { platformSettings, readSettings, signInSettings } from '@posthaste/settings';
import { Registry } from 'prom-client';
import { createEventRoutes } from '../src/event-routes.js';
import { startGateway } from '../src/gateway.js';
import { createPeopleRoutes } from '../src/people-routes.js';
import { readRealtimeFile } from '../src/realtime/realtime-file.js';
import { testSecretKey } from './test-callbacks.js';
import { testConfig, testLogger } from './test-server.js';

/** Event as a subscriber of the mirror gets it. */
export interface Mirrored {
  readonly id: string;
  readonly name: string;
  readonly topic: string;
  readonly application: string | null;
  readonly event?: { readonly payload?: unknown };
  readonly payloadOmitted?: boolean;
  readonly readAt?: string;
}

/** Members of answers that tests look at. */
export interface Json {
  readonly code?: string;
  readonly token?: string;
  readonly items?: readonly { readonly event: { readonly id: string } }[];
}

/** Gateway that mirrors its event log on channels, with the routes of events and tokens. */
export interface TestMirror {
  readonly url: string;
  readonly db: Database;
  readonly log: PostgresLog;
  /** Creates a key. Default: all scopes, the application `shop`. */
  createKey(request?: Partial<KeyRequest>): Promise<string>;
  connect(credential: string, headers?: Record<string, string>): Promise<WebSocketClient>;
  /** Sends a request with a key, and returns the answer. */
  call(key: string, path: string, body?: object): Promise<{ status: number; json: Json }>;
  /** Appends records to the log. Readers are notified. */
  append(...records: readonly LogRecord[]): Promise<void>;
  close(): Promise<void>;
}

const topicApplications = ['mapped*=shop'];

/** Opens a gateway on a database of `createPlatformDatabase`. */
export async function openTestMirror(
  { url }: { readonly url: string },
  access: 'keys' | 'loopback' = 'keys',
): Promise<TestMirror> {
  const db = await openPostgres({ url, maxConnections: 8 });
  const changes = ambientDatabase(db);
  const keys = new ApiKeys(changes);
  const registry = new Registry();
  const { logger } = testLogger();
  const environment = { POSTHASTE_ACCESS: access, POSTHASTE_DEFAULT_APPLICATION: 'main' };
  const config = testConfig({
    ...environment,
    ...{ POSTHASTE_PORT: '0', POSTHASTE_MAX_EVENT_LOOP_DELAY: '0' },
  });
  const people = createPeopleRoutes({
    ...{ db: changes, logger },
    config: {
      ...readSettings({}, { ...signInSettings, publicUrl: platformSettings.publicUrl }),
      ...{ secretKey: testSecretKey, access },
    },
  });
  const events = createEventRoutes({
    ...{ db, changes, logger, registry },
    config: {
      ...{ maxFollowers: 10, maxFollowersPerCaller: 10, maxTopics: 1_000, maxReplays: 1 },
      ...{ idempotencyMs: 86_400_000, eventRetentionMs: 604_800_000 },
      ...{ defaultApplication: 'main', topicApplications, groupApplications: [] },
    },
  });
  const gateway = await startGateway({
    ...{ config, db, changes, registry, logger },
    authenticators: people.authenticators,
    cookies: people.cookies,
    routes: [...people.routes, ...events.routes],
    auditTargets: { ...people.auditTargets, ...events.auditTargets },
    auditEvents: { append: async () => undefined },
    realtime: {
      ...{ realtimeKeepAliveMs: 60_000, realtimeDrainMs: 0, topicApplications, maxTopics: 1_000 },
      file: readRealtimeFile(undefined),
    },
  });
  const log = new PostgresLog({ db });
  const clients: WebSocketClient[] = [];
  return {
    ...{ url: gateway.url, db, log },
    async createKey(request = {}) {
      const wanted = { name: 'test', scopes: ['admin'], applications: ['shop'] } as const;
      return (await keys.createKey({ ...wanted, ...request })).token;
    },
    async connect(credential, headers = {}) {
      const authorization = { 'x-api-key': credential, ...headers };
      const client = await connect(
        createConfig([`${gateway.url}/event`, undefined], async () => authorization),
      );
      clients.push(client);
      return client;
    },
    async call(key, path, body) {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const request = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
      const response = await fetch(`${gateway.url}${path}`, request);
      return { status: response.status, json: (await response.json()) as Json };
    },
    async append(...records) {
      await db.transaction((tx) => log.append(tx, records));
    },
    async close() {
      for (const client of clients) client.close();
      await gateway.close(2_000);
      await Promise.all([people.close(), events.close(), keys.close(), log.close()]);
      await db.close();
    },
  };
}

/** Takes events until there are `count`. */
export async function takeMirrored(subscription: Subscription, count: number): Promise<Mirrored[]> {
  const events: Mirrored[] = [];
  for await (const { type, event } of subscription) {
    if (type === 'data') events.push(JSON.parse(event));
    if (events.length === count) break;
  }
  return events;
}

/** Returns a record with an event, of an application or of none. */
export function eventRecord(
  topic: string,
  name: string,
  { application, padding = 0 }: { readonly application?: string; readonly padding?: number } = {},
): LogRecord {
  const envelope = createEnvelope({
    name,
    namespace: 'test',
    payload: { text: 'x'.repeat(padding) },
  });
  const { application: _, ...record } = toEventToPublish(envelope, {
    ...{ topic: 'any', key: 'key', application: application ?? '' },
  });
  return application === undefined ? { ...record, topic } : { ...record, topic, application };
}
