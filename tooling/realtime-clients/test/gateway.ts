import { ApiKeys, accessMigrations, type KeyRequest } from '@posthaste/access';
import { realtimeMigrations } from '@posthaste/appsync-server/postgres';
import { callbacksMigrations, ensurePartitions } from '@posthaste/callbacks';
import { eventstreamMigrations } from '@posthaste/eventstream';
import { eventLogMigrations } from '@posthaste/eventstream/event-log';
import { gatewayService } from '@posthaste/gateway';
import { type Database, migrate, openPostgres } from '@posthaste/postgres';
import { createLogger, type Service } from '@posthaste/service';
import { createTestDatabase, freePort } from '@posthaste/testbed';

/** Gateway as it is deployed, with a database of its own. It needs keys. */
export interface TestGateway {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Creates a key and returns its token. Default: all scopes, the application `shop`. */
  createKey(request?: Partial<KeyRequest>): Promise<string>;
  /** Revokes a key that it has created. */
  revokeKey(token: string): Promise<void>;
  /** Makes a short-lived token for channels, as a backend does for a page. */
  createToken(key: string, request: TokenRequest): Promise<string>;
  /** Publishes one event over HTTP. Returns the status; 0 while the gateway does not listen. */
  post(credential: string, channel: string, event: unknown): Promise<number>;
  /** Resolves to the value of a metric without labels, as a scraper reads it. */
  readMetric(name: string): Promise<number>;
  /** Stops the gateway and starts it on the same port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Body of `POST /v1/realtime/tokens`. */
export interface TokenRequest {
  readonly channels: readonly string[];
  readonly rights: readonly ('publish' | 'subscribe')[];
  readonly expiresInSeconds?: number;
}

const stopWithinMs = 2_000;

/** Starts a gateway. @param settings besides those that every test needs */
export async function startTestGateway(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestGateway> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url });
  await createTables(db);
  const keys = new ApiKeys(db);
  const ids = new Map<string, string>();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const start = (): Promise<Service> =>
    startService({ DATABASE_URL: database.url, POSTHASTE_PORT: String(port), ...settings });
  let service = await start();
  let scraper: ReturnType<ApiKeys['createKey']> | undefined;
  const postJson = (path: string, headers: Record<string, string>, body: object) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  return {
    ...{ url, port },
    async createKey(request = {}) {
      const wanted = { name: 'test', scopes: ['admin'], applications: ['shop'] } as const;
      const { key, token } = await keys.createKey({ ...wanted, ...request });
      ids.set(token, key.id);
      return token;
    },
    async revokeKey(token) {
      await keys.revokeKey(ids.get(token) ?? '', 'all');
    },
    async createToken(key, request) {
      const headers = { authorization: `Bearer ${key}` };
      const response = await postJson('/v1/realtime/tokens', headers, request);
      if (response.status !== 201) throw new Error(await response.text());
      return ((await response.json()) as { token: string }).token;
    },
    async post(credential, channel, event) {
      const body = { channel, events: [JSON.stringify(event)] };
      const response = await postJson('/event', { 'x-api-key': credential }, body).catch(
        () => undefined,
      );
      await response?.text();
      return response?.status ?? 0;
    },
    async readMetric(name) {
      scraper ??= keys.createKey({ name: 'scraper', scopes: ['admin'] });
      const headers = { authorization: `Bearer ${(await scraper).token}` };
      const text = await (await fetch(`${url}/metrics`, { headers })).text();
      const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text);
      if (!found) throw new Error(`no metric ${name} in: ${text.slice(0, 200)}`);
      return Number(found[1]);
    },
    async restart() {
      await service.close(stopWithinMs);
      service = await start();
    },
    async close() {
      await service.close(stopWithinMs);
      await keys.close();
      await db.close();
      await database.drop();
    },
  };
}

function startService(settings: Readonly<Record<string, string>>): Promise<Service> {
  const config = gatewayService.read({
    POSTHASTE_ACCESS: 'keys',
    POSTHASTE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    // A busy test machine would exceed the delay.
    POSTHASTE_MAX_EVENT_LOOP_DELAY: '0',
    POSTHASTE_LOG_LEVEL: 'error',
    ...settings,
  });
  const logger = createLogger({ level: config.logLevel, service: gatewayService.name });
  return gatewayService.start(config, logger, new AbortController().signal);
}

async function createTables(db: Database): Promise<void> {
  await migrate(db, [
    accessMigrations,
    callbacksMigrations,
    eventstreamMigrations,
    eventLogMigrations,
    realtimeMigrations,
  ]);
  await ensurePartitions(db, { daysAhead: 1 });
}
